"""Live news: the event log that database triggers write, and the streams that people read. See docs/live.md."""
