"""Tests against servers of others: each is installed and started here, and stopped again."""
