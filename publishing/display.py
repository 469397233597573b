"""Money, numbers and states as people read them, for lists (as functions) and templates (filters of `publishing_display`)."""

from decimal import Decimal

from django.utils.safestring import SafeString

from jobs.display import badge
from publishing.models import Generation, UsageRecord
from publishing.quotas import Quota

#: The symbol and the tone of each state of a generation: never colour alone.
_GENERATION_LOOKS: dict[str, tuple[str, str]] = {
    Generation.State.RUNNING: ("edit_note", "busy"),
    Generation.State.DONE: ("check_circle", "good"),
    Generation.State.FAILED: ("error", "bad"),
}
_CENT = Decimal("0.01")
_LEAST = Decimal("0.0001")


def dollars(amount: Decimal | int | None) -> str:
    """Money: "$1,204.50", "$0.0042" for less than a cent, "$0.00" for nothing."""
    value = Decimal(amount or 0)
    if value and value < _LEAST:
        return f"less than ${_LEAST}"
    return f"${value:,.4f}" if value and value < _CENT else f"${value:,.2f}"


def count(number: Decimal | int) -> str:
    """A number in full: "12,300"."""
    return f"{number:,.0f}"


def short(number: Decimal | float) -> str:
    """A number for an axis: "950", "12k", "1.5M"."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{float(number) / size:.1f}".removesuffix(".0") + unit
    return f"{float(number):g}"


def amount(quota: Quota, number: Decimal) -> str:
    """So much of what the quota is about."""
    return dollars(number) if quota.what == "cost" else count(number)


def in_words(quota: Quota) -> str:
    """How much of a quota is used: "3 of 5", "$1.20, no limit"."""
    used = amount(quota, quota.used)
    return f"{used}, no limit" if quota.limit is None else f"{used} of {amount(quota, quota.limit)}"


def generation_badge(state: str) -> SafeString:
    """The label of a generation's state."""
    icon, tone = _GENERATION_LOOKS[state]
    return badge(str(Generation.State(state).label), icon, tone)


def usage_notes(record: UsageRecord) -> str:
    """What is to be known about a record besides its numbers."""
    notes = {
        "paid for nothing": not record.has_result,
        "perhaps not billed": record.is_doubtful,
        "counted by us": record.is_estimated,
    }
    return ", ".join(note for note, holds in notes.items() if holds)
