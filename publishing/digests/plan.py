"""What a digest is going to quote: its outline, as it is stored between two steps."""

from pydantic import BaseModel, ConfigDict


class Quoted(BaseModel):
    """Sentences of one item, in the order in which they stand there."""

    model_config = ConfigDict(extra="forbid")

    item_id: int
    sentences: list[str]


class Theme(BaseModel):
    """Items about the same. The first one's title is the heading of all."""

    model_config = ConfigDict(extra="forbid")

    items: list[Quoted]


class Plan(BaseModel):
    """All themes, in the order of the page."""

    model_config = ConfigDict(extra="forbid")

    themes: list[Theme]

    @property
    def quoted(self) -> list[Quoted]:
        """All quoted items in the order of the page."""
        return [quoted for theme in self.themes for quoted in theme.items]

    @property
    def item_ids(self) -> list[int]:
        """The ids of the quoted items."""
        return [quoted.item_id for quoted in self.quoted]
