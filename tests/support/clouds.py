"""A whole cloud in memory on trio's mock clock: every service behind its real door, simulated hosts, and a trace to ask.

async with AsyncExitStack() as stack:
    cloud = await a_cloud(stack, hosts=2)
    server = await cloud.a_server(name="web")
    assert (await cloud.demo.get(f"/compute/v2.1/servers/{server['id']}")).json()["server"]["status"] == "ACTIVE"
    assert "selected" in cloud.notes.words()
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio
import httpx
import trio

from minicloud.base.clock import VirtualClock
from minicloud.base.trace import Recording
from minicloud.cloud import Cloud, open_cloud
from minicloud.conductor import log
from minicloud.core import records
from minicloud.core.image.images import Image
from minicloud.drivers.hypervisor.fake import FakeHypervisor
from minicloud.engines.database import Transaction
from minicloud.settings import Settings, load

URL = "http://cloud.test"
PASSWORD = "secret"
START = datetime(2026, 11, 21, 10, tzinfo=UTC)
NEWEST = "compute latest"
T = TypeVar("T")


def some_settings(**given: Any) -> Settings:
    """Settings of a throw-away cloud of one simulated host, whatever this machine's environment and files say."""
    wanted = {
        "data": "/nonexistent/minicloud",
        "memory": True,
        "driver": "fake",
        "password_cost": "cheap",
        # Answers come before the work, so that stories can look at what is under way.
        "patience": 0,
        "admin_password": PASSWORD,
    }
    return load({**wanted, **given}, {}).settings


class TestedCloud:
    """A cloud with clients. ``demo`` is a member of the project demo, ``admin`` an administrator in the project admin."""

    __test__ = False

    def __init__(self, cloud: Cloud, notes: Recording, clock: VirtualClock) -> None:
        self.cloud = cloud
        self.notes = notes
        self.clock = clock
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=cloud.api), base_url=URL)
        self.demo: httpx.AsyncClient
        self.admin: httpx.AsyncClient

    async def read(self, fn: Callable[[Transaction], T]) -> T:
        """Look into the tables."""
        return await self.cloud.world.database.read(fn)

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """Change the tables behind everybody's back."""
        return await self.cloud.world.database.write(fn)

    async def as_admin(self, *, project: str = "admin", version: str = NEWEST) -> httpx.AsyncClient:
        """A client of an administrator."""
        return await self.as_("admin", project=project, version=version)

    async def as_demo(self, *, version: str = NEWEST) -> httpx.AsyncClient:
        """A client of an ordinary member."""
        return await self.as_("demo", project="demo", version=version)

    async def as_(self, user: str, *, project: str, version: str = NEWEST) -> httpx.AsyncClient:
        """A client with a token of this user for this project, asking in this microversion (``compute 2.1``)."""
        who = {"name": user, "domain": {"id": "default"}, "password": PASSWORD}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}},
        }
        answer = await self.http.post("/identity/v3/auth/tokens", json={"auth": auth})
        assert answer.status_code == 201, answer.text
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.cloud.api),
            base_url=URL,
            headers={
                "X-Auth-Token": answer.headers["x-subject-token"],
                "Accept": "application/json",
                "OpenStack-API-Version": version,
            },
        )

    async def a_project(self, name: str) -> httpx.AsyncClient:
        """A client of a member of a new project, in which nobody else is."""
        project = (await self.admin.post("/identity/v3/projects", json={"project": {"name": name}})).json()["project"]
        user = {"name": f"user of {name}", "password": PASSWORD}
        user_id = (await self.admin.post("/identity/v3/users", json={"user": user})).json()["user"]["id"]
        roles = (await self.admin.get("/identity/v3/roles", params={"name": "member"})).json()["roles"]
        granted = await self.admin.put(f"/identity/v3/projects/{project['id']}/users/{user_id}/roles/{roles[0]['id']}")
        assert granted.status_code == 204, granted.text
        return await self.as_(f"user of {name}", project=name)

    async def image_id(self) -> str:
        """The image that every cloud has."""
        return (await self.read(lambda tx: records.select(tx, Image, "name = ?", ["minilinux"])))[0].id

    async def ask_server(
        self, client: httpx.AsyncClient | None = None, *, headers: dict[str, str] | None = None, **fields: Any
    ) -> httpx.Response:
        """POST /servers, as small as can be where ``fields`` does not say otherwise."""
        body = {"name": "web", "flavorRef": "1", "imageRef": await self.image_id(), "networks": "auto", **fields}
        return await (client or self.demo).post(
            "/compute/v2.1/servers", json={"server": {k: v for k, v in body.items() if v is not None}}, headers=headers
        )

    async def a_server(self, client: httpx.AsyncClient | None = None, **fields: Any) -> dict[str, Any]:
        """A server that has been built; as its owner reads it."""
        client = client or self.demo
        asked = await self.ask_server(client, **fields)
        assert asked.status_code == 202, asked.text
        await self.settled()
        return await self.server(asked.json()["server"]["id"], client)

    async def server(self, server_id: str, client: httpx.AsyncClient | None = None) -> dict[str, Any]:
        """A server as its owner (or this client) reads it."""
        answer = await (client or self.demo).get(f"/compute/v2.1/servers/{server_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["server"]
        return found

    async def act(
        self, server_id: str, action: dict[str, Any], client: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        """POST an action on a server."""
        return await (client or self.demo).post(f"/compute/v2.1/servers/{server_id}/action", json=action)

    async def settled(self) -> None:
        """Wait until all work that was promised is done."""
        await self.cloud.executor.idle()

    async def reconciled(self) -> dict[str, list[str]]:
        """One round of every reconciler; what each has mended. Fails the test where one broke."""
        found = await self.cloud.reconcilers.once()
        assert {name: run.error for name, run in found.items() if run.error} == {}
        return {name: list(run.mended) for name, run in found.items()}

    async def stuck(self) -> list[Any]:
        """Sagas that came to no end: empty in every healthy cloud that is idle."""
        return await self.read(log.unfinished)

    def hypervisor(self, host: str = "host-1") -> FakeHypervisor:
        """The simulated hypervisor of a host."""
        found = self.cloud.agents[host].hypervisor
        assert isinstance(found, FakeHypervisor)
        return found

    async def host_silent(self, host: str) -> None:
        """The host's heart stops, and its silence has lasted long enough to be noticed."""
        self.cloud.world.servicegroup.silence(f"nova-compute@{host}")
        await anyio.sleep(self.cloud.settings.service_down_time + self.cloud.settings.report_interval + 1)


async def a_cloud(stack: AsyncExitStack, **settings: Any) -> TestedCloud:
    """A new cloud, idle: its image is there, nobody has asked for anything yet, and the trace is empty."""
    clock, notes = VirtualClock(START, trio.current_time), Recording()
    cloud = await stack.enter_async_context(open_cloud(some_settings(**settings), clock=clock, sink=notes))
    tested = TestedCloud(cloud, notes, clock)
    await tested.settled()
    tested.demo = await tested.as_demo()
    tested.admin = await tested.as_admin()
    notes.notes.clear()
    return tested
