"""Why a file cannot be read, and what to do about it."""

from jobs.errors import PermanentError, TransientError
from knowledge.errors import KnowledgeError


class UnreadableFile(KnowledgeError, PermanentError):
    """It has no text that can be read: damaged, locked with a password, a scan ..."""


class UnknownFormat(UnreadableFile):
    """No reader is for files of this name."""


class AnotherFormat(UnreadableFile):
    """It is not what its name says."""


class TooMuch(UnreadableFile):
    """Reading it takes more than a file may: memory, time, pages or characters."""


class ReadingStopped(KnowledgeError, TransientError):
    """Later: the process that read it was ended from outside."""
