"""The database: connections, transactions, and who holds a claim."""
