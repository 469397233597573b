"""A row of any model, from the types of its fields: for pages that were added after this was written."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


def row_of(
    model: type[models.Model], rows: dict[type[models.Model], models.Model], group: Group | None
) -> Any:
    """A row with a value in each required field. Where this does not do, give `tests.walk.world` a maker of its own."""
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        if field.name == "owner_group":
            values[field.name] = group
        elif not (field.primary_key and isinstance(field, models.AutoField)) and _is_required(field):
            values[field.name] = _value(field, rows, group)
    return model._default_manager.create(**values)


def _is_required(field: Any) -> bool:
    return not (field.null or field.has_default() or field.has_db_default() or field.auto_created)


def _value(field: Any, rows: dict[type[models.Model], models.Model], group: Group | None) -> Any:
    if field.is_relation:
        related = field.related_model
        return next((row for kind, row in rows.items() if issubclass(kind, related)), None) or row_of(
            related, rows, group
        )
    if field.choices:
        return field.choices[0][0]
    match field:
        case models.BooleanField():
            return False
        case models.IntegerField() | models.FloatField() | models.DecimalField():
            return 1
        case models.DateTimeField():
            return timezone.now()
        case models.DateField():
            return timezone.now().date()
        case models.UUIDField():
            return uuid4()
        case models.JSONField():
            return {}
        case ArrayField():
            return []
    return f"walked-{model_count(field.model)}"[: field.max_length or 50]


def model_count(model: type[models.Model]) -> int:
    return model._default_manager.count()
