"""Alembic's migrations, one revision per change of the schema; `upgrading` runs them."""
