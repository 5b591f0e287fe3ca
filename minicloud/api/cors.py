"""Scripts of other sites (CORS): which of them browsers may let read the APIs, by the rules of oslo.middleware."""

from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH")
ALLOWED = (
    "Accept",
    "Accept-Language",
    "Cache-Control",
    "Content-Language",
    "Content-Type",
    "Expires",
    "Last-Modified",
    "OpenStack-API-Version",
    "Pragma",
    "X-Auth-Token",
    "X-Identity-Status",
    "X-OpenStack-Nova-API-Version",
    "X-OpenStack-Request-ID",
    "X-Project-ID",
    "X-Subject-Token",
)
"""Headers that scripts may send."""
EXPOSED = (
    "Location",
    "OpenStack-API-Version",
    "X-Auth-Token",
    "X-OpenStack-Nova-API-Version",
    "X-OpenStack-Request-ID",
    "X-Subject-Token",
)
"""Headers of answers that scripts may read."""
MAX_AGE_S = 3600


class Cors:
    """An application whose answers scripts of some origins (``https://skyline.example``, or ``*`` for all) may read."""

    def __init__(self, application: ASGIApp, origins: Iterable[str]) -> None:
        self._application = application
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = self._admitted(headers.get("origin"))
        if scope["method"] == "OPTIONS":
            raw = MutableHeaders({"Content-Length": "0"})
            if origin is not None:
                _allow_asking(raw, headers, origin)
            await send({"type": "http.response.start", "status": 200, "headers": raw.raw})
            await send({"type": "http.response.body", "body": b""})
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and origin is not None:
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                _allow(answer, origin)
                answer["Access-Control-Expose-Headers"] = ",".join(EXPOSED)
            await send(message)

        await self._application(scope, receive, told)

    def _admitted(self, origin: str | None) -> str | None:
        """The origin as the answer names it; None for one that is not allowed, or no script's request."""
        if origin is None or origin in self._origins:
            return origin
        return "*" if "*" in self._origins else None


def _allow(answer: MutableHeaders, origin: str) -> None:
    answer["Access-Control-Allow-Origin"] = origin
    if origin != "*":
        # Browsers refuse credentials where any site is meant.
        answer["Access-Control-Allow-Credentials"] = "true"


def _allow_asking(answer: MutableHeaders, asked: Headers, origin: str) -> None:
    """What a browser asks before it sends a script's request; nothing is said where the request would not be allowed."""
    method = asked.get("access-control-request-method")
    wanted = [name.strip() for name in asked.get("access-control-request-headers", "").split(",") if name.strip()]
    known = {name.lower() for name in ALLOWED}
    if method not in METHODS or any(name.lower() not in known for name in wanted):
        return
    answer["Vary"] = "Origin"
    _allow(answer, origin)
    answer["Access-Control-Max-Age"] = str(MAX_AGE_S)
    answer["Access-Control-Allow-Methods"] = method
    if wanted:
        answer["Access-Control-Allow-Headers"] = ",".join(wanted)
