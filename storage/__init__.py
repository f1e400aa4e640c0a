"""Durable state: the spool of files, and the database of studies, jobs, deliveries and events."""
