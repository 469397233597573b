"""Fields of input that knowledge has of its own."""

from typing import Any

from rest_framework import serializers


class WholeField(serializers.ListField):
    """A list of objects that replaces the one before: each is given in full, also where other fields may be left out."""

    child: serializers.Serializer[Any]

    def run_child_validation(self, data: Any) -> Any:
        found: list[dict[str, Any]] = []
        errors: dict[Any, Any] = {}
        for place, item in enumerate(data):
            row = type(self.child)(data=item)
            if row.is_valid():
                found.append(row.validated_data)
            else:
                errors[place] = row.errors
        if errors:
            raise serializers.ValidationError(errors)
        return found
