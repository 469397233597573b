"""Pages by cursor: rows that are added meanwhile neither repeat nor hide others."""

from typing import Any

from django.core.exceptions import ValidationError as InvalidValue
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

_BAD_CURSOR = {"cursor": ["This is not a cursor that a page gave."]}


class _Pages(CursorPagination):
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int:
        text = request.query_params.get("page_size")
        if text is None:
            return int(self.page_size or 50)
        if not (
            text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= self.max_page_size
        ):
            raise ValidationError({"page_size": [f"Use a number from 1 to {self.max_page_size}."]})
        return int(text)

    def decode_cursor(self, request: Request) -> Cursor | None:
        if "cursor" not in request.query_params:
            return None
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise ValidationError(_BAD_CURSOR) from error
        position: Any = cursor.position if cursor else None  # the stub says a number
        if cursor is None or cursor.offset or position is None or not self.is_position(position):
            raise ValidationError(_BAD_CURSOR)
        return cursor

    def is_position(self, position: str) -> bool:
        """Whether a cursor's position can be one of this kind of page."""
        raise NotImplementedError

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = super().get_paginated_response_schema(schema)
        document["required"] = ["next", "previous", "results"]
        return document


class NewestFirst(_Pages):
    """By primary key, which grows with time: a UUID of version 7 or a number."""

    ordering = "-pk"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self._key = queryset.model._meta.pk
        return super().paginate_queryset(queryset, request, view)

    def is_position(self, position: str) -> bool:
        try:
            self._key.to_python(position)
        except InvalidValue:
            return False
        return True


class ByName(_Pages):
    """By a unique name, in alphabetical order."""

    ordering = "name"

    def is_position(self, position: str) -> bool:
        return "\x00" not in position


class ByJob(ByName):
    """By the unique name of a job."""

    ordering = "job"
