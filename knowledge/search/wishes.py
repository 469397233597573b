"""What people ask of the search by other names, and what it comes to here."""

from dataclasses import dataclass

from jobs.errors import IllegalState
from knowledge import spaces
from knowledge.errors import KnowledgeError
from knowledge.search.engine import Mode

#: Names of modes that say where vectors are made.
LOCAL, OPENAI = "local", "openai"
MODES = [*(mode.value for mode in Mode), LOCAL, OPENAI]
#: The kind of embedder that sends texts to an endpoint.
_REMOTE = "openai"


class NoSuchVectors(KnowledgeError, IllegalState):
    """The index has no vectors of that kind."""


@dataclass(frozen=True)
class Way:
    """How a search is made."""

    mode: Mode
    #: Whose vectors are asked; "": none are, or there are none yet.
    model: str


def way(wanted: str) -> Way:
    """The way to search that somebody means by one of `MODES`. Raises NoSuchVectors.

    "openai" is by meaning alone, with vectors of an endpoint that speaks OpenAI's protocol, and refused when the index
    has none. "local" sends the query nowhere: by both when the vectors are made on this machine, else by words.
    """
    live = spaces.live()
    model = live.name if live else ""
    is_remote = model.partition(":")[0] == _REMOTE
    if wanted == OPENAI:
        if not is_remote:
            raise NoSuchVectors(
                f"The vectors of the index are not OpenAI's: {model or 'there are none yet'}. Use hybrid or local."
            )
        return Way(Mode.DENSE, model)
    if wanted == LOCAL:
        return Way(Mode.SPARSE, "") if is_remote else Way(Mode.HYBRID, model)
    mode = Mode(wanted)
    return Way(mode, "" if mode is Mode.SPARSE else model)
