"""Results on their way out: the outbox is worked off until every object is sent or given up."""
