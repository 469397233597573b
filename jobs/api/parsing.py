"""Reading requests: small JSON bodies, and nothing that was not asked for."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from jobs.storable import clean_text

#: Bytes of a body.
LARGEST_BODY = 1_000_000


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body has more than {LARGEST_BODY:,} bytes."
    default_code = "too_large"


class SmallJSONParser(JSONParser):
    """JSON of bounded size; what is nested too deeply for Python is malformed like anything else."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            return super().parse(_Bounded(stream), media_type, parser_context)  # type: ignore[arg-type]
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


class _Bounded:
    """A stream that refuses to give more than `LARGEST_BODY` bytes."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> Any:
        data = self._stream.read(LARGEST_BODY + 1)
        if len(data) > LARGEST_BODY:
            raise BodyTooLarge
        return data


class StrictSerializer(serializers.Serializer[Any]):
    """Input whose every field is known: a misspelled one is an error, not a silence."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields)
                raise serializers.ValidationError(
                    {
                        clean_text(str(name))[:100]: [f"There is no such field. The fields are: {known}."]
                        for name in unknown
                    }
                )
        return super().to_internal_value(data)


def read_body(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The validated body; raises ValidationError."""
    return _validated(kind(data=request.data))


def read_query(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The validated query parameters; raises ValidationError."""
    return _validated(kind(data=request.query_params.dict()))


def _validated(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    validated: dict[str, Any] = serializer.validated_data
    return validated
