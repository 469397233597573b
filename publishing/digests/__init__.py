"""A round-up made of other people's sentences: which there are, which matter, and how they stand on a page.

Everything here is pure and deterministic: no network, no database, no chance. `publishing.writers.digest` puts it together.
"""
