"""A private PostgreSQL for the database of jobs, where one is installed."""

from annotate.conftest import postgres

__all__ = ["postgres"]
