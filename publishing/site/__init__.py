"""The built-in blog: every post that the ledger calls published at the publisher of kind `site`, without login."""
