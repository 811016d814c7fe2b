"""What schemathesis is told of the service beside the document, because OpenAPI 3.1 has no word for it."""

import base64
import re
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import Failure
from schemathesis.generation.meta import CoverageScenario

# A cursor is to be sent back as it came; this is what one looks like inside.
schemathesis.openapi.format(
    "cursor", strategies.uuids().map(lambda id: base64.urlsafe_b64encode(str(id).encode()).decode())
)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """A stream's schema is that of its text, and so of what each event's `data` is: OpenAPI 3.2 says it of each event."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            content = operation["responses"].get("200", {}).get("content", {})
            if stream := content.get("text/event-stream"):
                stream["itemSchema"] = {
                    "type": "object",
                    "required": ["event", "data"],
                    "properties": {
                        "event": {"type": "string", "pattern": r"^(snapshot|[a-z]+\.[a-z_]+)$"},
                        "id": {"type": "string", "pattern": "^[0-9]+$"},
                        "data": stream["schema"],
                    },
                }


@schemathesis.hook
def before_call(context, case, **kwargs):
    """It follows ids from an answer to the next request, of a list's also the null ones, which it would write "None"."""
    if case.meta.generation.mode.is_positive:
        for parameters in (case.path_parameters, case.query):
            for name, value in (parameters or {}).items():
                if value is None:
                    parameters[name] = "01920000-0000-7000-8000-00000000ffff"


def has_route(document, method, url):
    """`/products/export` could be the path of another operation too, `/products/{product_id}`."""
    return any(
        method.lower() in operations and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), urlsplit(url).path)
        for path, operations in document["paths"].items()
    )


@schemathesis.check
def unknown_method(context, response, case):
    """The tool's own `unsupported_method`, but for 404: a method that a path doesn't have is an unknown route."""
    if getattr(case.meta.phase.data, "scenario", None) != CoverageScenario.UNSPECIFIED_HTTP_METHOD:
        return
    method = response.request.method
    if method == "OPTIONS" or has_route(case.operation.schema.raw_schema, method, response.request.url):
        return
    if response.status_code != 404 or response.json()["code"] != "not_found":
        raise Failure(
            operation=case.operation.label,
            title="A method that the path doesn't have",
            message=f"{method} was answered {response.status_code}, expected 404 not_found",
        )
