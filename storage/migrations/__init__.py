"""Alembic's migrations, one revision per change of the schema; run by `storage.engine.upgrade`."""
