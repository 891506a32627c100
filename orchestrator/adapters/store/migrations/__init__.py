"""Alembic's directory: one module per schema revision."""
