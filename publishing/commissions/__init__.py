"""Texts that a language model writes: what it is told, and what is made of its answers. For `publishing.writers.openai`."""
