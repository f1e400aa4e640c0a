"""What is kept and for how long: removal, retention, purge, backup, promises to peers."""
