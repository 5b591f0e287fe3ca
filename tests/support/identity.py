"""Identity alone behind the real door, over the inline database, with cheap passwords; and a client to talk to it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import trio

from minicloud.api import identity
from minicloud.api.app import Api
from minicloud.api.auth import Authenticator
from minicloud.api.call import Means
from minicloud.api.identity.passwords import Passwords
from minicloud.base.clock import Clock, VirtualClock
from minicloud.base.trace import Recording
from minicloud.conductor.executor import Executor
from minicloud.conductor.world import World
from minicloud.core.identity.bootstrap import Bootstrap, Bootstrapped, bootstrap
from minicloud.engines.database import Database
from minicloud.engines.database.inline import InlineDatabase
from minicloud.services import policy_of
from tests.support.worlds import a_world

ADMIN_PASSWORD = "the admin's"
DEMO_PASSWORD = "the demo's"
URL = "http://cloud.test"


class IdentityCloud:
    """A cloud that has nothing but identity. ``ids`` are those of what every cloud has."""

    def __init__(
        self,
        api: Api,
        database: Database,
        clock: VirtualClock,
        passwords: Passwords,
        ids: Bootstrapped,
        notes: Recording,
    ) -> None:
        self.api = api
        self.database = database
        self.clock = clock
        self.passwords = passwords
        self.ids = ids
        self.notes = notes
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url=f"{URL}/identity")

    async def sign_in(
        self,
        name: str = "admin",
        password: str | None = None,
        *,
        project: str | None = None,
        domain: str | None = None,
        system: bool = False,
        user_id: str | None = None,
    ) -> httpx.Response:
        """Ask for a token; by default unscoped."""
        known = {"admin": ADMIN_PASSWORD, "demo": DEMO_PASSWORD}
        user: dict[str, Any] = {"password": password or known.get(name, "secret")}
        user |= {"id": user_id} if user_id else {"name": name, "domain": {"id": "default"}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if project is not None:
            auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
        if domain is not None:
            auth["scope"] = {"domain": {"id": domain}}
        if system:
            auth["scope"] = {"system": {"all": True}}
        return await self.http.post("/v3/auth/tokens", json={"auth": auth})

    async def as_(self, name: str = "admin", **how: Any) -> "Caller":
        """A caller with a token. Fails the test when there is none."""
        if not how.keys() & {"project", "domain", "system", "unscoped"}:
            how["project"] = {"admin": "admin", "demo": "demo"}.get(name)
        how.pop("unscoped", None)
        answer = await self.sign_in(name, **how)
        assert answer.status_code == 201, answer.text
        return Caller(self.http, answer.headers["x-subject-token"], answer.json()["token"])


class Caller:
    """Someone with a token. Calls are relative to ``/identity/v3``."""

    def __init__(self, http: httpx.AsyncClient, secret: str, token: dict[str, Any]) -> None:
        self.http = http
        self.secret = secret
        self.token = token

    async def ask(
        self, method: str, path: str, body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Any:
        """One request, which must be answered with this status; the document of the answer, or None."""
        answer = await self.http.request(
            method, f"/v3{path}", json=body, headers={"X-Auth-Token": self.secret, **(headers or {})}
        )
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def get(self, path: str, *, status: int = 200) -> Any:
        """GET."""
        return await self.ask("GET", path, status=status)

    async def post(self, path: str, body: Any, *, status: int = 201) -> Any:
        """POST."""
        return await self.ask("POST", path, body, status=status)

    async def patch(self, path: str, body: Any, *, status: int = 200) -> Any:
        """PATCH."""
        return await self.ask("PATCH", path, body, status=status)

    async def put(self, path: str, body: Any = None, *, status: int = 204) -> Any:
        """PUT."""
        return await self.ask("PUT", path, body, status=status)

    async def delete(self, path: str, *, status: int = 204) -> Any:
        """DELETE."""
        return await self.ask("DELETE", path, status=status)

    async def head(self, path: str, *, status: int = 200) -> Any:
        """HEAD."""
        return await self.ask("HEAD", path, status=status)

    async def works(self) -> bool:
        """Whether the token still opens anything."""
        answer = await self.http.get("/v3/auth/projects", headers={"X-Auth-Token": self.secret})
        assert answer.status_code in (200, 401), answer.text
        return answer.status_code == 200


async def identity_api(
    world: World, database: Database, clock: Clock, passwords: Passwords, notes: Recording, **more: Any
) -> tuple[Api, Bootstrapped]:
    """Identity with everything that it has from the first start on."""
    authenticator = Authenticator(database, clock)
    services = [identity.service(passwords, **more)]
    means = Means(
        database=database,
        executor=Executor(world, []),
        policy=policy_of(services),
        blobs=world.blobs,
        forget_tokens=authenticator.forget,
    )
    wanted = Bootstrap(
        admin_password_hash=passwords.hash_now(ADMIN_PASSWORD), demo_password_hash=passwords.hash_now(DEMO_PASSWORD)
    )
    ids = await database.write(lambda tx: bootstrap(tx, wanted))
    return Api(services, means, authenticator, notes), ids


@asynccontextmanager
async def an_identity(**more: Any) -> AsyncIterator[IdentityCloud]:
    """A cloud of identity alone, on trio's mock clock; ``more`` as ``identity.service`` takes it."""
    async with AsyncExitStack() as stack:
        clock = VirtualClock(datetime(2026, 11, 21, 10, tzinfo=UTC), trio.current_time)
        database = InlineDatabase(clock=clock)
        notes, passwords = Recording(), Passwords("cheap")
        api, ids = await identity_api(await a_world(stack), database, clock, passwords, notes, **more)
        cloud = IdentityCloud(api, database, clock, passwords, ids, notes)
        stack.push_async_callback(cloud.http.aclose)
        yield cloud
