"""What the OpenAPI document needs beyond the views: the errors that every operation may answer."""

from typing import Any

_ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "code": {"type": "string", "description": "For programs."},
        "message": {"type": "string", "description": "For people."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "What is wrong with which part of the input; names of nested parts are dotted.",
        },
    },
    "required": ["code", "message"],
}
_ALWAYS = {
    "401": "Not authenticated, or not any more.",
    "403": "The permission for this is missing.",
    "406": "Only JSON is served.",
    "429": "Too many requests; `Retry-After` tells when to come back.",
    "503": "The database does not answer, or another service that is needed.",
}
_WITH_PATH = {"404": "There is no such thing."}
_WITH_INPUT = {"400": "The input does not fit; `fields` tells where."}
_WITH_BODY = {"413": "The body is too large.", "415": "Only JSON is taken."}


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Document the common errors of each operation, and that unknown fields of a body are refused."""
    schemas = result["components"]["schemas"]
    schemas["Error"] = _ERROR
    for name, schema in schemas.items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema["additionalProperties"] = False
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, text in _errors(operation).items():
                operation["responses"].setdefault(status, _response(text))
            operation["responses"] = dict(sorted(operation["responses"].items()))
    return result


def _errors(operation: dict[str, Any]) -> dict[str, str]:
    places = {parameter["in"] for parameter in operation.get("parameters", [])}
    has_body = "requestBody" in operation
    errors = dict(_ALWAYS)
    if "path" in places:
        errors |= _WITH_PATH
    if has_body or places - {"path"}:
        errors |= _WITH_INPUT
    if has_body:
        errors |= _WITH_BODY
    return errors


def _response(text: str) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": reference}}}
