"""What goes wrong with the embedded servers."""


class EmbeddedError(Exception):
    """The embedded servers cannot do what was asked; the message is one sentence for the person at the terminal."""
