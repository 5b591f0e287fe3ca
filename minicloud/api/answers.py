"""Answers: what a handler gave becomes a status, headers and a body, and goes out."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send

from minicloud.api import bodies
from minicloud.api.call import Reply
from minicloud.api.microversions import Version
from minicloud.api.routes import Route


class Answer(msgspec.Struct):
    """What goes out: a whole body, or a response that streams itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    response: Response | None = None


def finished(value: Any, route: Route, version: Version | None) -> Answer:
    """The answer out of what a handler gave: a document, bytes, nothing, a ``Reply`` around one of these, or a response."""
    if isinstance(value, Response):
        return Answer(value.status_code, [], b"", value)
    status, more = route.status_at(version), {}
    if isinstance(value, Reply):
        status, more, value = value.status or status, dict(value.headers), value.value
    headers = list(more.items())
    if value is None:
        return Answer(status, headers, b"")
    if isinstance(value, bytes):
        return Answer(status, headers, value)
    if "Content-Type" not in more:
        headers.append(("Content-Type", "application/json"))
    return Answer(status, headers, bodies.encode(value, version))


async def deliver(
    answer: Answer, headers: list[tuple[str, str]], request: Request, receive: Receive, send: Send
) -> None:
    """Send an answer with these headers besides its own. HEAD gets no body, nor do 204 and 304."""
    if answer.response is not None:
        for name, value in headers:
            answer.response.headers[name] = value
        await answer.response(request.scope, receive, send)
        return
    bodyless = answer.status in (204, 304)
    lines = [*headers, *answer.headers]
    if not bodyless:
        lines.append(("Content-Length", str(len(answer.body))))
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in lines]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    body = b"" if request.method == "HEAD" or bodyless else answer.body
    await send({"type": "http.response.body", "body": body})
