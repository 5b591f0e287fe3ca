"""The door: an ASGI application that takes a request through mount, version, route, token, policy, body and handler, in this order.

Errors by meaning become answers here and nowhere else; a defect is answered with 500 and its trail goes to the trace.
"""

import logging
import time
import traceback
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from minicloud.api import access, answers, bodies, faults
from minicloud.api.answers import Answer
from minicloud.api.auth import Authenticator, secret_of
from minicloud.api.call import Call, Means
from minicloud.api.microversions import Version
from minicloud.api.routes import Found, Route, Tree
from minicloud.api.service import Service
from minicloud.base import trace
from minicloud.base.errors import (
    CloudError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
    UnsupportedMedia,
)
from minicloud.base.ids import RequestIds, is_request_id
from minicloud.core.context import Context

_log = logging.getLogger("minicloud.api")
NOBODY = Context()


class _Mounted(msgspec.Struct, frozen=True):
    """A service under one of its mounts, with its routes in a tree."""

    mount: str
    service: Service
    versioned: Tree
    root: Tree


class Api:
    """All services behind one address. ``public_url`` overrides the address that links carry (else the request's own Host)."""

    def __init__(
        self,
        services: Sequence[Service],
        means: Means,
        authenticator: Authenticator,
        sink: trace.Sink,
        *,
        public_url: str | None = None,
    ) -> None:
        self.services = services
        self.means = means
        self.authenticator = authenticator
        self._sink = sink
        self._public_url = public_url
        self._request_ids = RequestIds()
        self._mounted = sorted(
            (
                _Mounted(
                    mount,
                    service,
                    Tree(route for route in service.routes if not route.root),
                    Tree(route for route in service.routes if route.root),
                )
                for service in services
                for mount in service.mounts
            ),
            key=lambda mounted: -len(mounted.mount),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        request_id = self._request_ids.new()
        with trace.recording(self._sink), trace.about(request_id=request_id):
            await self._serve(Request(scope, receive), receive, send, request_id)

    async def _serve(self, request: Request, receive: Receive, send: Send, request_id: str) -> None:
        began = time.perf_counter()
        scope = request.scope
        path: str = scope["path"]
        mounted = self._mount(path)
        scope["minicloud.mount"] = mounted.mount
        service = mounted.service
        version: Version | None = None
        headers: list[tuple[str, str]] = [(name, request_id) for name in service.request_id_headers]
        try:
            if service.negotiation is not None:
                version = service.negotiation.lowest
                if not _older(service, path[len(mounted.mount) :]):
                    version = service.negotiation.asked(request.headers)
                    headers += service.negotiation.headers(version)
            answer = await self._answer(request, mounted, version, request_id)
        except CloudError as error:
            answer = self._fault(error, service, request, request_id, version)
            trace.note("fault", meaning=error.meaning, message=error.message, kind=error.kind)
        except ClientDisconnect:
            trace.note("disconnected", method=request.method, path=path)
            return
        except Exception as error:  # noqa: BLE001 - the one door: a defect becomes a 500 that says where to look
            trail = "".join(traceback.format_exception(error))
            _log.error("%s %s %s\n%s", request_id, request.method, path, trail)
            trace.note("defect", trail=trail[-4000:])
            told = faults.unexpected(service.dialect, request_id=request_id)
            answer = Answer(told.status, told.headers, told.body)
        who: Context = scope.get("minicloud.context", NOBODY)
        trace.note(
            "request",
            method=request.method,
            path=path,
            version=None if version is None else str(version),
            status=answer.status,
            seconds=round(time.perf_counter() - began, 6),
            user=who.user_id,
            project=who.project_id,
        )
        await answers.deliver(answer, headers, request, receive, send)

    def _mount(self, path: str) -> _Mounted:
        for mounted in self._mounted:
            if path.startswith(mounted.mount) and path[len(mounted.mount) :][:1] in ("", "/"):
                return mounted
        return self._mounted[-1]

    def _base_url(self, request: Request, mount: str) -> str:
        if self._public_url is not None:
            return f"{self._public_url}{mount}"
        server = request.scope.get("server") or ("127.0.0.1", 80)
        host = request.headers.get("host") or f"{server[0]}:{server[1]}"
        return f"{request.scope['scheme']}://{host}{mount}"

    async def _answer(self, request: Request, mounted: _Mounted, version: Version | None, request_id: str) -> Answer:
        service = mounted.service
        below = request.scope["path"][len(mounted.mount) :]
        found, project = _find(mounted, below)
        routes = [] if found is None else _routes(found, request.method, version)
        if routes and routes[0].open:
            who = Context(request_id=request_id)
        else:
            who = await self._authenticate(request, request_id, mounted)
            # Kept where the door finds it also when what follows fails.
            request.scope["minicloud.context"] = who
            if who.allowed_requests:
                access.require(
                    who, service=service.name, method=request.method, path=request.scope["path"], below=below
                )
        if found is None:
            raise NotFound(service.not_found)
        if not routes:
            raise _no_such_method(service, found, request.method, version)
        if project is not None and not who.is_admin and project != who.project_id:
            raise Invalid(
                f"Malformed request URL: URL's project_id '{project}' doesn't match Context's project_id '{who.project_id}'"
            )
        raw = (
            b""
            if routes[0].stream or request.method in ("GET", "HEAD")
            else await _body(request, routes[0].largest_body)
        )
        route = routes[0] if routes[0].action is None else _action(routes, found.methods[request.method], raw, service)
        if route.policy is not None and not route.open and not route.late:
            self.means.policy.enforce(route.policy, who)
        call = Call(request, self.means, service, route, version, who, self._base_url(request, mounted.mount))
        arguments: dict[str, Any] = dict(zip(route.names, found.values, strict=True))
        if route.body is not None:
            arguments["body"] = raw if route.body is bytes else self._decode(request, raw, route, version, service)
        value = await route.handler(call, **arguments)
        if call.begun and self.means.patience > 0:
            await self.means.executor.wait(call.begun, seconds=self.means.patience)
        if route.late and not call.judged:
            raise AssertionError(f"{route.method} {route.path} answered without asking {route.policy}")
        return answers.finished(value, route, version)

    async def _authenticate(self, request: Request, request_id: str, mounted: _Mounted) -> Context:
        secret = secret_of(request.headers)
        if not secret:
            raise Unauthenticated("The request you have made requires authentication.")
        who = await self.authenticator.context(secret)
        outer = request.headers.get("x-openstack-request-id", "")
        return msgspec.structs.replace(
            who, request_id=request_id, global_request_id=outer if is_request_id(outer) else None
        )

    def _decode(self, request: Request, raw: bytes, route: Route, version: Version | None, service: Service) -> Any:
        assert route.body is not None
        assert issubclass(route.body, bodies.Body)
        kind = request.headers.get("content-type", "")
        json_given = kind.split(";")[0].strip().lower() in service.json_types
        if service.content_type == "json" and not json_given:
            raise UnsupportedMedia(f"The media type {kind or None} is not supported, use application/json")
        if service.content_type == "json_if_given" and kind and not json_given:
            raise UnsupportedMedia(f"Unsupported Content-Type {kind}: use application/json")
        if not raw and route.optional_body:
            return route.body()
        return bodies.decode(raw, route.body, version, service.reading, wrap=route.action)

    def _fault(
        self, error: CloudError, service: Service, request: Request, request_id: str, version: Version | None
    ) -> Answer:
        if isinstance(error, Unauthenticated):
            error.detail["www_authenticate"] = self._base_url(request, "")
        accept = request.headers.get("accept", "")
        told = faults.fault(error, service.dialect, request_id=request_id, accept=accept, version=version)
        return Answer(told.status, told.headers, told.body)


def _find(mounted: _Mounted, below: str) -> tuple[Found | None, str | None]:
    """What a path below the mount leads to, and the project id that stood in it."""
    service = mounted.service
    prefix = _older(service, below) or service.prefix
    if _under(below, prefix):
        rest = below[len(prefix) :]
        if service.slash_at_end == "not_found" and rest.endswith("/") and rest != "/":
            return None, None
        found = mounted.versioned.find(rest)
        if found is not None:
            return found, None
        if service.project_in_path:
            project, _, shorter = rest.lstrip("/").partition("/")
            found = mounted.versioned.find(shorter)
            if found is not None and project:
                return found, project
    return mounted.root.find(below), None


def _under(below: str, prefix: str) -> bool:
    return below.startswith(prefix) and below[len(prefix) :][:1] in ("", "/")


def _older(service: Service, below: str) -> str | None:
    """The older root that a path lies under, without versions of its own."""
    return next((prefix for prefix in service.older_prefixes if _under(below, prefix)), None)


def _routes(found: Found, method: str, version: Version | None) -> list[Route]:
    lines = found.methods.get(method) or (found.methods.get("GET") if method == "HEAD" else None) or []
    return [line for line in lines if line.exists(version)]


def _no_such_method(service: Service, found: Found, method: str, version: Version | None) -> CloudError:
    """The error for a method that a path does not have, or not at this version."""
    methods = sorted(m for m, lines in found.methods.items() if any(line.exists(version) for line in lines))
    known = method in found.methods
    if service.other_versions_method == "before_version" and not known:
        methods = sorted(found.methods)
    answer = service.other_versions_method if known else service.unknown_method
    if not methods or answer == "not_found":
        return NotFound(service.not_found)
    return MethodNotAllowed("The method is not allowed for the requested URL.", allow=methods, method=method)


def _action(routes: list[Route], ever: list[Route], raw: bytes, service: Service) -> Route:
    """The line of the action that the document names with its one key; ``ever`` are also those of other versions."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("Malformed request body", kind="json") from error
    if not isinstance(document, dict) or not document:
        raise Invalid("Malformed request body", kind="json")
    for route in routes:
        if route.action in document:
            if len(document) > 1:
                raise Invalid(
                    f"Additional properties are not allowed ({', '.join(repr(k) for k in document if k != route.action)} was unexpected)"
                )
            return route
    if any(route.action in document for route in ever):
        raise NotFound(service.not_found)
    raise Invalid(f"There is no such action: {next(iter(document))}")


async def _body(request: Request, largest: int) -> bytes:
    """The request's document, never more than it may have."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > largest:
        raise TooLarge("Request is too large.")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise TooLarge("Request is too large.")
        parts.append(part)
    return b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
