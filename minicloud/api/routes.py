"""Route lines: method, path, handler, policy, status, listing, all on one line; and the tree that finds them.

    routes = [
        Post("/os-keypairs", create, policy="os_compute_api:os-keypairs:create", allow=OWN_USER, status={"2.1": 200, "2.2": 201}),
        Get("/os-keypairs", index, policy="os_compute_api:os-keypairs:index", allow=OWN_USER, listing=KEYPAIRS),
        Action("os-start", start, policy="os_compute_api:servers:start", allow=PROJECT_MEMBER_OR_ADMIN, status=202),
    ]

A handler takes the ``Call``, then the names in the path, then ``body`` if it declares one; its annotation says the struct
(or ``bytes``: the handler reads the document by itself).
Finding a route walks the path's segments through a tree: the cost does not grow with the number of routes.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, NamedTuple, get_type_hints

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.listing import Listing
from minicloud.api.microversions import Version, version
from minicloud.core.policy import Scopes

Handler = Callable[..., Awaitable[Any]]
SMALL_BODY = 114_688
"""Bytes that a request's document may have: OpenStack's ``max_request_body_size``."""


class Further(NamedTuple):
    """A policy that a handler asks for by itself, which is for tokens of other scopes than its line's."""

    name: str
    check: str
    scopes: Scopes


class Route(msgspec.Struct, kw_only=True):
    """One line. ``policy`` None means that the handler needs no permission beyond a token; ``open`` not even that.

    ``extra`` are further (policy, default) pairs that the handler asks for by itself. ``scopes`` are those of the tokens that
    its policies are for, where they are not those of the service. ``root`` paths stand directly under
    the service's mount (version documents), not under its versioned prefix. ``status`` may depend on the version.
    ``late`` policies are asked by the handler itself, which first has to see what is acted upon (``call.judge``); the door
    refuses to answer when it did not ask.
    """

    method: str
    path: str
    handler: Handler
    policy: str | None
    allow: str | None = None
    extra: Sequence[tuple[str, str] | Further] = ()
    scopes: Scopes | None = None
    status: int | Mapping[str, int] = 200
    since: Version | None = None
    until: Version | None = None
    listing: Listing | None = None
    action: str | None = None
    open: bool = False
    late: bool = False
    root: bool = False
    stream: bool = False
    largest_body: int = SMALL_BODY
    optional_body: bool = False
    names: tuple[str, ...] = ()
    body: type[Body] | type[bytes] | None = None
    statuses: Sequence[tuple[Version, int]] = ()

    def exists(self, at: Version | None) -> bool:
        """Whether the route is there at a version."""
        return at is None or ((self.since is None or at >= self.since) and (self.until is None or at <= self.until))

    def status_at(self, at: Version | None) -> int:
        """The status of a successful answer at a version."""
        if isinstance(self.status, int):
            return self.status
        found = self.statuses[0][1]
        for first, status in self.statuses:
            if at is not None and at >= first:
                found = status
        return found


def _route(
    method: str, path: str, handler: Handler, *, since: str | None = None, until: str | None = None, **words: Any
) -> Route:
    names = tuple(part[1:-1] for part in path.split("/") if part.startswith("{"))
    taken = [name for name in _parameters(handler) if name not in ("call", "body")]
    if tuple(taken) != names:
        raise TypeError(
            f"{method} {path}: {handler.__module__}.{handler.__name__} takes {taken}, the path gives {list(names)}"
        )
    status = words.get("status", 200)
    if words.get("policy") is None and not words.get("open") and words.get("allow") is not None:
        raise TypeError(f"{method} {path}: allow without a policy's name")
    return Route(
        method=method,
        path=path,
        handler=handler,
        since=None if since is None else version(since),
        until=None if until is None else version(until),
        names=names,
        body=_body(handler),
        statuses=() if isinstance(status, int) else sorted((version(at), code) for at, code in status.items()),
        **words,
    )


def _parameters(handler: Handler) -> Sequence[str]:
    """The names of what a handler takes, as ``inspect`` tells; of a plain function, as nearly all are, without its cost."""
    if isinstance(handler, FunctionType) and not hasattr(handler, "__wrapped__"):
        code = handler.__code__
        if not code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return list(inspect.signature(handler).parameters)


def _body(handler: Handler) -> Any:
    """The annotation of a handler's ``body``; only one that is written as a string has to be looked up."""
    body = getattr(handler, "__annotations__", {}).get("body")
    return get_type_hints(handler)["body"] if isinstance(body, str) else body


def Get(path: str, handler: Handler, **words: Any) -> Route:
    """A GET line. HEAD is answered alike, without the body, where no Head line stands for itself."""
    return _route("GET", path, handler, **words)


def Head(path: str, handler: Handler, **words: Any) -> Route:
    """A HEAD line."""
    return _route("HEAD", path, handler, **words)


def Post(path: str, handler: Handler, **words: Any) -> Route:
    """A POST line."""
    return _route("POST", path, handler, **words)


def Put(path: str, handler: Handler, **words: Any) -> Route:
    """A PUT line."""
    return _route("PUT", path, handler, **words)


def Patch(path: str, handler: Handler, **words: Any) -> Route:
    """A PATCH line."""
    return _route("PATCH", path, handler, **words)


def Delete(path: str, handler: Handler, **words: Any) -> Route:
    """A DELETE line; 204 unless it says otherwise."""
    return _route("DELETE", path, handler, **{"status": 204, **words})


def Action(name: str, handler: Handler, *, path: str = "/servers/{server_id}/action", **words: Any) -> Route:
    """A line for one action: a POST whose document has this one key."""
    return _route("POST", path, handler, action=name, **{"status": 202, **words})


def scoped(scopes: Scopes, lines: Iterable[Route]) -> list[Route]:
    """The same lines, whose policies are for tokens of these scopes."""
    return [msgspec.structs.replace(line, scopes=scopes) for line in lines]


class Found(msgspec.Struct, frozen=True):
    """What a path leads to: the routes of each method there, and the values of the names in the path."""

    methods: dict[str, list[Route]]
    values: tuple[str, ...]


class _Node:
    __slots__ = ("literal", "methods", "named")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.named: _Node | None = None
        self.methods: dict[str, list[Route]] = {}


class Tree:
    """All routes of a service. A literal segment wins over a named one."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for part in _parts(route.path):
                if part.startswith("{"):
                    node.named = node.named or _Node()
                    node = node.named
                else:
                    below = node.literal.get(part)
                    if below is None:
                        below = node.literal[part] = _Node()
                    node = below
            node.methods.setdefault(route.method, []).append(route)

    def find(self, path: str) -> Found | None:
        """What stands at a path; None when nothing does."""
        return _find(self._root, _parts(path), 0, ())


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _find(node: _Node, parts: list[str], at: int, values: tuple[str, ...]) -> Found | None:
    if at == len(parts):
        return Found(node.methods, values) if node.methods else None
    literal = node.literal.get(parts[at])
    if literal is not None:
        found = _find(literal, parts, at + 1, values)
        if found is not None:
            return found
    if node.named is not None:
        return _find(node.named, parts, at + 1, (*values, parts[at]))
    return None
