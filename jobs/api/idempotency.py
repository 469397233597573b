"""`Idempotency-Key`: a request that is sent again, since its answer was lost, makes nothing twice."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from jobs.api.answers import person
from jobs.errors import KeyReused
from jobs.models import JobRun, visibility_of

#: For documents.
HEADER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 200},
    OpenApiParameter.HEADER,
    description="A second request with the same key gives the run of the first.",
)


def key_of(request: Request) -> str | None:
    """The key of the request, if it has one; raises ValidationError."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= 200 and key.isascii() and key.isprintable()):
        raise ValidationError({"Idempotency-Key": ["Use 1 to 200 printable ASCII characters."]})
    return key


def check_seen(run: JobRun, request: Request) -> None:
    """Raises KeyReused when the key has led to a run of a group whose things the person does not see."""
    if not visibility_of(person(request)).includes(run.owner_group_id):
        raise KeyReused
