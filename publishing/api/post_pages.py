"""Pages of posts in several orders."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, CharField, F, Func, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat, LPad
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from jobs.api.pagination import NewestFirst

#: What posts can be ordered by, beside the time at which they were made.
ORDERS = ("scheduled_at", "published_at", "score")
CHOICES = [f"{sign}{name}" for name in ("created_at", *ORDERS) for sign in ("-", "")]


class PostPages(NewestFirst):
    """The newest first, or in the order that `ordering` names; posts without such a value come last."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        choice = request.query_params.get("ordering", "-created_at")
        if choice not in CHOICES:
            raise ValidationError({"ordering": [f"Use one of: {', '.join(CHOICES)}."]})
        sign, name = choice[: choice.startswith("-")], choice.lstrip("-")
        self._is_by_key = name == "created_at"
        self.ordering = f"{sign}{'pk' if self._is_by_key else 'place'}"
        if not self._is_by_key:
            queryset = queryset.annotate(place=_place(name, is_falling=bool(sign)))
        return super().paginate_queryset(queryset, request, view)

    def is_position(self, position: str) -> bool:
        return super().is_position(position) if self._is_by_key else position.isascii() and position.isdigit()

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        order = {
            "name": "ordering",
            "required": False,
            "in": "query",
            "description": "The newest first unless said otherwise; posts without such a value come last.",
            "schema": {"type": "string", "enum": CHOICES, "default": "-created_at"},
        }
        return [*super().get_schema_operation_parameters(view), order]


def _place(name: str, *, is_falling: bool) -> Combinable:
    """A text of digits, different for each post, that sorts like the value: cursors need that."""
    given = Concat(Value("1"), _DIGITS[name], output_field=CharField())
    missing = Value(("0" if is_falling else "9") * 21)
    key = LPad(Cast("pk", CharField()), 19, Value("0"))
    # Concat takes null for an empty text.
    value = Case(When(**{f"{name}__isnull": True}, then=missing), default=given)
    return Concat(value, key, output_field=CharField())


def _moment(name: str) -> Combinable:
    return Func(
        F(name),
        template="to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')",
        output_field=CharField(),
    )


_DIGITS: Mapping[str, Combinable] = {
    "scheduled_at": _moment("scheduled_at"),
    "published_at": _moment("published_at"),
    "score": LPad(Cast("score", CharField()), 20, Value("0")),
}
