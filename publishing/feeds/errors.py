"""Why a document could not be read as a feed."""


class FeedError(ValueError):
    """The document could not be read as a feed."""


class NotAFeed(FeedError):
    """The document is neither RSS, RDF, Atom nor JSON Feed."""


class FeedTooComplex(FeedError):
    """The document is built to cost more than any feed should: too deep or too many elements."""
