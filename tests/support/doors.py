"""The door with some services behind it and no identity: whoever asks is said, not signed in."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx
import msgspec

from minicloud.api.app import Api
from minicloud.api.call import Means
from minicloud.api.service import Service
from minicloud.base.errors import Unauthenticated
from minicloud.base.trace import Recording
from minicloud.conductor.executor import Executor
from minicloud.conductor.step import Saga
from minicloud.core.context import Context
from minicloud.core.image.options import ImageOptions
from minicloud.engines.blobs import Blobs
from minicloud.engines.database import Database
from minicloud.services import policy_of
from tests.support.worlds import a_world

URL = "http://cloud.test"
ROLES = ("reader", "member", "manager", "admin")


class Bearers:
    """Knows the contexts that it was told of, by their tokens. Stands where the authenticator does."""

    def __init__(self) -> None:
        self.known: dict[str, Context] = {}

    async def context(self, secret: str) -> Context:
        found = self.known.get(secret)
        if found is None:
            raise Unauthenticated("The request you have made requires authentication.")
        return found


class Door:
    """An Api and what it stands on. ``as_`` gives a client for somebody, below one service's mount."""

    def __init__(
        self, api: Api, bearers: Bearers, database: Database, blobs: Blobs, notes: Recording, executor: Executor
    ) -> None:
        self.api = api
        self.database = database
        self.blobs = blobs
        self.notes = notes
        self.executor = executor
        self._bearers = bearers

    def as_(
        self,
        user: str = "ann",
        *,
        project: str | None = "red",
        role: str = "member",
        headers: dict[str, str] | None = None,
        mount: str = "",
    ) -> httpx.AsyncClient:
        """A client for a user with a role (and all that it implies) in a project."""
        roles = frozenset(ROLES[: ROLES.index(role) + 1]) if role in ROLES else frozenset({role, "reader", "member"})
        token = f"{user}-{project}-{role}"
        self._bearers.known[token] = Context(
            user_id=user,
            user_name=user,
            project_id=project,
            project_name=project,
            roles=roles,
            is_admin="admin" in roles,
            token_id=token,
        )
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.api),
            base_url=f"{URL}{mount}",
            headers={"X-Auth-Token": token, "Accept": "application/json", **(headers or {})},
        )

    def stranger(self, mount: str = "") -> httpx.AsyncClient:
        """A client without a token."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.api), base_url=f"{URL}{mount}")


async def a_door(
    stack: AsyncExitStack,
    services: Sequence[Service],
    *,
    blobs: Blobs | None = None,
    sagas: Sequence[type[Saga]] = (),
    image: ImageOptions | None = None,
) -> Door:
    """A door with these services over an empty world, which can do these sagas."""
    world = await a_world(stack)
    world = msgspec.structs.replace(world, image=image or ImageOptions(), blobs=blobs or world.blobs)
    executor = await stack.enter_async_context(Executor(world, sagas))
    blobs = blobs or world.blobs
    means = Means(database=world.database, executor=executor, policy=policy_of(services), blobs=blobs)
    bearers, notes = Bearers(), Recording()
    return Door(Api(services, means, bearers, notes), bearers, world.database, blobs, notes, executor)
