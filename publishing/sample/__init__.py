"""A small world of our own: three feeds that have news every few hours, so that a fresh checkout has real work to do.

Served below `/sample/` only while the setting SAMPLE_WORLD_URL names where.
"""
