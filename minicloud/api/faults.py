"""The one door where errors by meaning become a status and a document in the dialect of the service that was asked.

Five dialects (plus the metadata service's plain text): compute and volume name the fault, identity titles it, image
explains it, network types it, placement lists it. Source of the shapes: each service's answers and its API reference.
"""

import html
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

import msgspec

from minicloud.api.microversions import Version
from minicloud.base.errors import CloudError, Failed, NotAcceptable

Dialect = Literal["compute", "volume", "identity", "image", "network", "placement", "plain"]

STATUS = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "gone": 410,
    "precondition_failed": 412,
    "too_large": 413,
    "unsupported_media": 415,
    "range_not_satisfiable": 416,
    "over_quota": 403,
    "not_offered": 501,
    "unavailable": 503,
    "timed_out": 504,
    "tool_missing": 503,
    "no_valid_host": 400,
    "aborted": 500,
    "failed": 500,
    "tool_failed": 500,
}
"""Status by meaning, where a dialect has no other custom."""

CUSTOMS: dict[Dialect, dict[str, int]] = {
    "compute": {},
    "volume": {"over_quota": 413},
    "identity": {},
    "image": {"over_quota": 413},
    "network": {"over_quota": 409},
    "placement": {},
    "plain": {},
}
"""Where a service answers a meaning with another status than the rest."""

FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}

NETWORK_TYPES = {
    400: "HTTPBadRequest",
    401: "HTTPUnauthorized",
    403: "PolicyNotAuthorized",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "Conflict",
    412: "RevisionNumberConstraintFailed",
    500: "HTTPInternalServerError",
    501: "HTTPNotImplemented",
    503: "ServiceUnavailable",
}


PLACEMENT_OPENINGS = {
    400: "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
    409: "There was a conflict when trying to complete your request.",
    415: "The request media type is not supported by this server.",
}
"""How Placement's details begin, before the message."""


class Fault(msgspec.Struct, frozen=True):
    """An answer that tells of an error."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def status_of(error: CloudError, dialect: Dialect) -> int:
    """The HTTP status of an error in a dialect."""
    return CUSTOMS[dialect].get(error.meaning, STATUS[error.meaning])


def fault(
    error: CloudError, dialect: Dialect, *, request_id: str, accept: str = "", version: Version | None = None
) -> Fault:
    """The whole answer for an error, in a negotiated version."""
    status = status_of(error, dialect)
    if error.meaning == "unauthenticated" and dialect != "plain":
        # Every service stands behind keystonemiddleware, which answers in the identity service's words.
        return _unauthenticated(error)
    if dialect == "image" and _prefers_page(accept):
        return _image_page(status, error)
    headers = [("Content-Type", "application/json")]
    allow = error.detail.get("allow")
    if isinstance(allow, list):
        headers.append(("Allow", ", ".join(str(method) for method in allow)))
    if dialect == "plain":
        return Fault(status, [("Content-Type", "text/plain; charset=UTF-8")], f"{status} {_title(status)}\n".encode())
    if dialect == "placement":
        if accept and "json" not in accept and "*/*" not in accept and "application/*" not in accept:
            return _placement_page(status, error, "html" in accept)
        return Fault(status, headers, msgspec.json.encode(_placement(status, error, request_id, version)))
    return Fault(status, headers, msgspec.json.encode(_DOCUMENTS[dialect](status, error, request_id)))


def _prefers_page(accept: str) -> bool:
    """Whether a page is as welcome as a document; image then sends the page, which Glance's own client relies on.

    Who names nothing at all gets the document, not upstream's plain text: openstacksdk uploads that way, and shows no text.
    """
    page = document = 0.0
    for one in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in one.split(";"))
        quality = next((_quality(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
        if kind in ("text/html", "text/*", "*/*"):
            page = max(page, quality)
        if kind in ("application/json", "application/*", "*/*"):
            document = max(document, quality)
    return page > 0 and page >= document


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _title(status: int) -> str:
    return HTTPStatus(status).phrase


def _compute(status: int, error: CloudError, request_id: str) -> object:
    name = FAULT_NAMES.get(status, "computeFault")
    return {name: {"code": status, "message": error.message}}


def _identity(status: int, error: CloudError, request_id: str) -> object:
    message, rule = error.message, error.detail.get("rule")
    if status == 403 and isinstance(rule, str):
        message = f"You are not authorized to perform the requested action: {rule}."
    return {"error": {"code": status, "message": message, "title": _title(status)}}


def _image(status: int, error: CloudError, request_id: str) -> object:
    title = _title(status)
    return {"message": f"{error.message}<br /><br />\n\n\n", "code": f"{status} {title}", "title": title}


def _network(status: int, error: CloudError, request_id: str) -> object:
    kind = error.kind if error.kind and error.kind[0].isupper() else NETWORK_TYPES.get(status, "HTTPBadRequest")
    return {"NeutronError": {"type": kind, "message": error.message, "detail": ""}}


def _placement(status: int, error: CloudError, request_id: str, version: Version | None) -> object:
    one: dict[str, object] = {"status": status, "title": _title(status), "request_id": request_id}
    if isinstance(error, NotAcceptable):
        one["detail"] = error.message
    elif status == 405:
        method = error.detail.get("method", "")
        told = "The method specified is not allowed for this resource."
        one["detail"] = f"The method {method} is not allowed for this resource. \n\n {told}  "
    else:
        opening = PLACEMENT_OPENINGS.get(status, _title(status))
        message = "" if error.message == opening else error.message
        one["detail"] = f"{opening}\n\n {message}  ".replace("\r", "")
    if "min_version" in error.detail:
        one |= {"min_version": error.detail["min_version"], "max_version": error.detail["max_version"]}
    elif version is not None and version >= (1, 23):
        known = error.kind is not None and error.kind.startswith("placement.")
        one["code"] = error.kind if known else "placement.undefined_code"
    return {"errors": [one]}


def _placement_page(status: int, error: CloudError, html_wanted: bool) -> Fault:
    """What a client is told that takes no JSON."""
    title = f"{status} {_title(status)}"
    if not html_wanted:
        text = f"{title}\n\n{error.message}\n"
        return Fault(status, [("Content-Type", "text/plain; charset=UTF-8")], text.encode())
    page = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
        f"  {html.escape(error.message)}<br /><br />\n\n\n </body>\n</html>"
    )
    return Fault(status, [("Content-Type", "text/html; charset=UTF-8")], page.encode())


_DOCUMENTS: dict[Dialect, Callable[[int, CloudError, str], object]] = {
    "compute": _compute,
    "volume": _compute,
    "identity": _identity,
    "image": _image,
    "network": _network,
}


def _unauthenticated(error: CloudError) -> Fault:
    message = error.message or "The request you have made requires authentication."
    body = {"error": {"code": 401, "title": "Unauthorized", "message": message}}
    headers = [("Content-Type", "application/json")]
    uri = error.detail.get("www_authenticate")
    if isinstance(uri, str):
        headers.append(("WWW-Authenticate", f'Keystone uri="{uri}"'))
    return Fault(401, headers, msgspec.json.encode(body))


def _image_page(status: int, error: CloudError) -> Fault:
    title = f"{status} {_title(status)}"
    page = (
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
        f"  {html.escape(error.message)}<br /><br />\n\n\n </body>\n</html>"
    )
    return Fault(status, [("Content-Type", "text/html; charset=UTF-8")], page.encode())


def unexpected(dialect: Dialect, *, request_id: str) -> Fault:
    """The answer to a defect of ours: no trail for the client, but the id under which it is in the trace."""
    error = Failed(
        "Unexpected API Error. Please report this, with what `minicloud explain "
        f"{request_id}` shows, to the minicloud developers.",
    )
    return fault(error, dialect, request_id=request_id)
