"""What every handler of Placement does at its edges: media types, documents in, documents and their dates out."""

from email.utils import format_datetime
from typing import Any

import msgspec

from minicloud.api.call import Call, Reply
from minicloud.api.placement.shapes import Finding, Shape, Text, Thing, check
from minicloud.base.clock import SystemClock, moment
from minicloud.base.errors import Invalid, NotAcceptable, UnsupportedMedia

JSON = "application/json"
ADMIN_OR_SERVICE = "rule:context_is_admin or role:service"
"""The default of nearly all rules here."""


def document(call: Call, raw: bytes, shape: Shape) -> Any:
    """The request's document. Raises UnsupportedMedia for another media type; Invalid for what is no JSON or not of the shape."""
    require_json(call, raw)
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"Malformed JSON: {error}", kind="json") from error
    wrong = check(found, shape)
    if wrong is not None:
        raise Invalid(f"JSON does not validate: {wrong.told()}", kind="body")
    return found


def query(call: Call, shape: Thing) -> dict[str, str]:
    """The query's parameters, the last of each name. Raises Invalid for names and values that the shape does not have."""
    found = dict(call.parameters)
    wrong: Finding | None = check(found, shape)
    if wrong is not None:
        raise Invalid(f"Invalid query string parameters: {wrong.told()}", kind="query")
    return found


def require_json(call: Call, raw: bytes) -> None:
    """Raises UnsupportedMedia unless the request's document is JSON by its header; Invalid where it has no header at all."""
    kind = call.header("content-type") or ""
    if not kind and raw:
        raise Invalid("content-type header required when content-length > 0")
    if kind.split(";")[0].strip() != JSON:
        raise UnsupportedMedia(f"The media type {kind or None} is not supported, use {JSON}")


def expect_json(call: Call) -> None:
    """Raises NotAcceptable where the client takes no JSON."""
    accept = call.header("accept")
    if not accept:
        return
    for part in accept.split(","):
        kind, _, parameters = part.strip().lower().partition(";")
        if kind.strip() in ("*/*", "application/*", JSON) and "q=0" not in parameters.replace(" ", "").split(";"):
            return
    raise NotAcceptable(f"Only {JSON} is provided")


def answer(call: Call, value: Any, *, modified: str | None = None, where: str | None = None) -> Reply:
    """An answer with its date (when the newest thing in it changed, or now; since 1.15), and the address of what was made.

    ``value`` may be JSON that is encoded already.
    """
    headers = dates(call, modified)
    if where is not None:
        headers["Location"] = where
    if isinstance(value, bytes):
        headers["Content-Type"] = JSON
    return Reply(value, headers=headers)


def dates(call: Call, modified: str | None = None) -> dict[str, str]:
    """The headers that say how old the answer is; none before 1.15."""
    if not call.at_least("1.15"):
        return {}
    when = SystemClock().now() if modified is None else moment(modified)
    return {"Last-Modified": format_datetime(when.replace(microsecond=0), usegmt=True), "Cache-Control": "no-cache"}


def newest(*stamps: str | None) -> str | None:
    """The latest of these dates; a thing without one, as the standard names are, is as new as now."""
    return None if not stamps or None in stamps else max(stamp for stamp in stamps if stamp is not None)


def location(call: Call, path: str) -> str:
    """An absolute address for a Location header."""
    return f"{call.base_url}{path}"


ANY_TEXT = Text()
