"""A call: one request on its way through a handler, with everything that a handler may use."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from minicloud.api.listing import Page, read_page
from minicloud.api.microversions import Version, version
from minicloud.api.routes import Route
from minicloud.api.service import Service
from minicloud.base.errors import NotFound
from minicloud.conductor.executor import Executor
from minicloud.conductor.step import Saga
from minicloud.conductor.world import World
from minicloud.core.context import Context
from minicloud.core.policy import Policy, Target
from minicloud.core.records import Database, Transaction
from minicloud.engines.blobs import Blobs

T = TypeVar("T")


def _nothing_remembered() -> None:
    """For machines without an authenticator that caches."""


def _nobody_to_poke(reconciler: str) -> None:
    """For machines without reconcilers."""


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What all handlers work with: the same for every call of a cloud.

    ``forget_tokens`` empties the cache of who bears which token; call it after a commit that changes what tokens stand on.
    ``poke`` wakes a reconciler by name: call it after a commit that it has to carry further. ``patience`` is how many seconds
    an answer may be held back until the sagas that it promises have ended, so that a client's first look finds them done.
    """

    database: Database
    executor: Executor
    policy: Policy
    blobs: Blobs
    region: str = "RegionOne"
    forget_tokens: Callable[[], None] = _nothing_remembered
    poke: Callable[[str], None] = _nobody_to_poke
    patience: float = 0.0


class Reply(msgspec.Struct, frozen=True):
    """An answer that is more than its document: another status, further headers."""

    value: Any = None
    status: int | None = None
    headers: Mapping[str, str] = {}


class Call:
    """One request. ``context`` says who asks, ``version`` in which microversion, ``route`` by which line."""

    __slots__ = (
        "_page",
        "_parameters",
        "base_url",
        "begun",
        "context",
        "judged",
        "means",
        "request",
        "route",
        "service",
        "version",
    )

    def __init__(
        self,
        request: Request,
        means: Means,
        service: Service,
        route: Route,
        version: Version | None,
        context: Context,
        base_url: str,
    ) -> None:
        self.request = request
        self.means = means
        self.service = service
        self.route = route
        self.version = version
        self.context = context
        self.base_url = base_url
        self._page: Page | None = None
        self._parameters: list[tuple[str, str]] | None = None
        self.judged = False
        self.begun: list[str] = []

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        """Run a function of ``core`` in a transaction that only reads."""
        return await self.means.database.read(fn)

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """Run a function of ``core`` in a transaction and commit it."""
        return await self.means.database.write(fn)

    @property
    def world(self) -> World:
        """What reaches the hosts, for the few reads that only they can answer."""
        return self.means.executor.world

    def begin(self, tx: Transaction, saga: Saga) -> str:
        """Promise a saga in this transaction: it is durable with the rows beside it, and starts after the commit."""
        saga_id = self.means.executor.begin(tx, saga)
        self.begun.append(saga_id)
        return saga_id

    def at_least(self, text: str) -> bool:
        """Whether the negotiated version is this one or newer: where behaviour changes, not shape."""
        return self.version is not None and self.version >= version(text)

    def enforce(self, rule: str, target: Target | None = None) -> None:
        """Ask a further policy. Raises Forbidden."""
        self.means.policy.enforce(rule, self.context, target)

    def judge(self, target: Target, *, rule: str | None = None) -> None:
        """Ask the policy of a ``late`` route (or another one in its place) about what is acted upon. Raises Forbidden."""
        self.judged = True
        name = rule or self.route.policy
        assert name is not None, f"{self.route.path} is late, but names no policy"
        self.means.policy.enforce(name, self.context, target)

    def allows(self, rule: str, target: Target | None = None) -> bool:
        """Whether a further policy would allow."""
        return self.means.policy.allows(rule, self.context, target)

    @property
    def parameters(self) -> list[tuple[str, str]]:
        """The query string's pairs, in order, repeated ones included."""
        if self._parameters is None:
            raw: bytes = self.request.scope.get("query_string", b"")
            self._parameters = parse_qsl(raw.decode("latin-1"), keep_blank_values=True) if raw else []
        return self._parameters

    def parameter(self, name: str, default: str | None = None) -> str | None:
        """The last value given for a parameter."""
        for key, value in reversed(self.parameters):
            if key == name:
                return value
        return default

    @property
    def page(self) -> Page:
        """What the request wants to see of the route's listing. Raises Invalid for bad paging or filters."""
        if self._page is None:
            assert self.route.listing is not None, f"{self.route.path} has no listing"
            here = f"{self.base_url}{self.request.scope['path'][len(self.mount) :]}"
            self._page = read_page(self.route.listing, self.parameters, base=here)
        return self._page

    @property
    def mount(self) -> str:
        """The path that the service answers under in this request."""
        mount: str = self.request.scope["minicloud.mount"]
        return mount

    @property
    def public_url(self) -> str:
        """The cloud's own address, without any service's path."""
        return self.base_url.removesuffix(self.mount)

    def url(self, path: str) -> str:
        """An absolute link below the service's versioned root: ``call.url(f"/servers/{id}")``."""
        return f"{self.base_url}{self.service.prefix}{path}"

    def header(self, name: str) -> str | None:
        """A request header."""
        return self.request.headers.get(name)

    def stream(self) -> AsyncIterator[bytes]:
        """The request's body as it comes, for uploads (routes with ``stream=True``)."""
        return self.request.stream()

    def absent(self, message: str | None = None) -> NotFound:
        """The error for a path that leads nowhere, in the service's words."""
        return NotFound(message or self.service.not_found)


Answer = Reply | Response | Any
