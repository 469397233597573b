"""Papers in, passages found, answers with citations that hold."""
