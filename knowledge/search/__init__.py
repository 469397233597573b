"""Finds passages by meaning and by words, in PostgreSQL; see `docs/search.md`."""
