"""Outlines, as a model gives them and as they are stored."""

from pydantic import BaseModel, ConfigDict, Field

from chat import Unusable, read_json
from publishing.commissions.material import Material

_MOST_SECTIONS = 20


class _Section(BaseModel):
    heading: str = Field(min_length=1, max_length=200)
    points: list[str] = Field(max_length=20, description="What this section says, in key words")
    sources: list[int] = Field(description="The numbers of the sources that this section stands on")
    words: int = Field(ge=0, description="How many words this section should have")


class PlanAnswer(BaseModel):
    """The outline that a model is asked for."""

    angle: str = Field(description="What the whole text says, in one sentence")
    sections: list[_Section] = Field(min_length=1, max_length=_MOST_SECTIONS)


class Section(BaseModel):
    """A section, with the ids of the items that it stands on."""

    model_config = ConfigDict(extra="forbid")

    heading: str
    points: list[str]
    item_ids: list[int]
    words: int


class Plan(BaseModel):
    """An outline as it is stored."""

    model_config = ConfigDict(extra="forbid")

    angle: str
    sections: list[Section]

    @property
    def item_ids(self) -> list[int]:
        """Every item it stands on, once, in the order of their appearance."""
        return list(dict.fromkeys(number for section in self.sections for number in section.item_ids))


def read_plan(answer: str, material: Material, *, is_last: bool) -> Plan:
    """The outline in an answer. Sources that are not there are refused, and left out of the last chance's."""
    told = read_json(answer, PlanAnswer)
    unknown = sorted({n for section in told.sections for n in section.sources} - set(material.items))
    if unknown and not is_last:
        raise Unusable(
            f"There is no source {unknown[0]}; the sources are numbered 1 to {len(material.items)}."
        )
    plan = Plan(
        angle=told.angle,
        sections=[
            Section(
                heading=section.heading,
                points=section.points,
                item_ids=[
                    material.items[n].id for n in dict.fromkeys(section.sources) if n in material.items
                ],
                words=section.words,
            )
            for section in told.sections
        ],
    )
    if material.items and not plan.item_ids:
        raise Unusable("No section names the numbers of the sources that it stands on.")
    return plan
