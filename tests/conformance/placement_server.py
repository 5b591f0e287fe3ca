"""Placement alone on a port, for its own stories: tokens say who asks in headers, ``/__reset`` gives an empty one,
``/__allow?ORIGIN`` lets scripts of a site in.

``python -m tests.conformance.placement_server PORT [core]``; with ``core`` services may reshape, as the stories expect whose
users have no roles.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import uvicorn

from minicloud.api import placement
from minicloud.api.app import Api
from minicloud.api.cors import Cors
from minicloud.base.trace import Note
from minicloud.core.context import Context
from minicloud.services import policy_of
from tests.support import doors


class Headers:
    """An authenticator for which a token is ``user:project|roles|system``."""

    async def context(self, secret: str) -> Context:
        """Who a token says that it is."""
        token, told, system = secret.split("|")
        user, _, project = token.partition(":")
        roles = [role for role in told.split(",") if role] if told != "-" else ["admin"] if user == "admin" else []
        return Context(
            user_id=user,
            project_id=None if system else project or user,
            roles=frozenset(roles),
            is_admin="admin" in roles,
            system_scope="all" if system else None,
            token_id=secret,
        )


class Nowhere:
    """A trace that nobody reads."""

    def take(self, note: Note) -> None:
        """Let it go."""


class Server:
    """The application; each reset builds another placement."""

    def __init__(self, *, core: bool) -> None:
        self._core = core
        self._api: Api | None = None
        self._origins: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def _live(self, ready: asyncio.Event, stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            service = msgspec.structs.replace(placement.service(), mounts=("",))
            api = (await doors.a_door(stack, [service])).api
            if self._core:
                reshape = {"placement:reshaper:reshape": "role:admin or role:service"}
                api.means = msgspec.structs.replace(api.means, policy=policy_of([service], reshape))
            api.authenticator = Headers()  # type: ignore[assignment]
            api._sink = Nowhere()
            self._api = api
            ready.set()
            await stop.wait()

    async def reset(self) -> None:
        """An empty placement from now on."""
        if self._task is not None:
            self._stop.set()
            await self._task
        ready, self._stop = asyncio.Event(), asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._live(ready, self._stop))
        await ready.wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                if message["type"] == "lifespan.startup":
                    await self.reset()
                    await send({"type": "lifespan.startup.complete"})
                else:
                    await send({"type": "lifespan.shutdown.complete"})
                    return
        if scope["path"] in ("/__reset", "/__allow"):
            if scope["path"] == "/__reset":
                await self.reset()
                self._origins = []
            else:
                self._origins.append(scope["query_string"].decode())
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        assert self._api is not None
        application = Cors(self._api, self._origins) if self._origins else self._api
        await application({**scope, "headers": _with_token(scope["headers"])}, receive, send)


def _with_token(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of upstream's noauth2 middleware as one token."""
    found = dict(headers)
    token = found.get(b"x-auth-token")
    if token is None:
        return headers
    project = found.get(b"x-project-id")
    who = token if not project else token.split(b":")[0] + b":" + project
    whole = b"|".join((who, found.get(b"x-roles", b"-"), found.get(b"openstack-system-scope", b"")))
    return [*((name, value) for name, value in headers if name != b"x-auth-token"), (b"x-auth-token", whole)]


if __name__ == "__main__":
    uvicorn.run(
        Server(core="core" in sys.argv[2:]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        h11_max_incomplete_event_size=1 << 20,
    )
