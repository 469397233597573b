"""The functions of `publishing.display` as template filters."""

from django import template

from publishing import display

register = template.Library()
register.filter("dollars", display.dollars)
register.filter("number", display.count)
register.filter("quota_in_words", display.in_words)
register.filter("generation_badge", display.generation_badge)
register.filter("usage_notes", display.usage_notes)


@register.filter
def tone(percent: int) -> str:
    """The class of a bar that is so full: partial from four fifths on, failed when there is no room."""
    return "failed" if percent >= 100 else "partial" if percent >= 80 else "plain"
