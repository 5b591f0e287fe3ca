"""SIGKILL of the real process amid work on volumes: booting from them, attaching, growing, moving, freezing, keeping, handing over."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.support.killable import Killable
from tests.support.volume_slate import AT_REST, volume_disorder

pytestmark = [pytest.mark.anyio, pytest.mark.crash]
SEED = 20261128
KILLS = 12
KEEPERS = 6
SETTLE_LIMIT_S = 60.0
VOLUMES, COMPUTE = "/volume/v3", "/compute/v2.1"
BACKENDS = ("control@fake#fake", "control@other#other")
OF_SERVERS = ("instances", "cores", "ram")
OF_VOLUMES = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes")


@pytest.fixture
def anyio_backend() -> str:
    """Real processes live in real time."""
    return "asyncio"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Killable]:
    settings = {
        "reconcile_interval": "0.5",
        "password_cost": "cheap",
        "shutdown_timeout": "1",
        "volume_backends": "other",
    }
    killable = Killable(tmp_path / "data", "--driver", "fake", "--hosts", "3", **settings)
    try:
        yield killable
    finally:
        killable.end()


class Keeper:
    """Whoever works on one volume at a time. ``may``: how each fact of it may be, as far as anybody was told."""

    def __init__(self, name: str, dice: random.Random, image: str, projects: dict[str, dict[str, str]]) -> None:
        self.name = name
        self.acknowledged = 0
        self.volume: str | None = None
        self.may: dict[str, set[Any]] = {}
        self._dice = dice
        self._image = image
        self._projects = projects
        """Headers of an administrator by the id of the project in which they ask."""

    async def work(self, http: httpx.AsyncClient) -> None:
        """Until nobody answers any more."""
        try:
            while True:
                if self.volume is None:
                    await self._make(http)
                else:
                    await self._dice.choice(self._works)(self, http, self.volume)
        except httpx.TransportError:
            return

    async def _make(self, http: httpx.AsyncClient) -> None:
        """A volume by itself or with a server that boots of it: of an image, or of nothing."""
        body: dict[str, Any] = {"size": 1, "name": self.name}
        if self._dice.random() < 0.6:
            body["imageRef"] = self._image
        answer = await http.post(f"{VOLUMES}/volumes", json={"volume": body})
        assert answer.status_code == 202, answer.text
        made = answer.json()["volume"]
        self.acknowledged += 1
        self.volume = made["id"]
        self.may = {"gone": {False}, "size": {1}, "server": {None}, "type": {made["volume_type"]}, "project": set()}
        await self._rest(http, made["id"])

    async def _rest(self, http: httpx.AsyncClient, volume_id: str) -> str:
        """Wait until nothing is being done to it; its status."""
        for _ in range(200):
            answer = await http.get(f"{VOLUMES}/volumes/{volume_id}")
            if answer.status_code == 404:
                return "gone"
            status: str = answer.json()["volume"]["status"]
            assert "error" not in status, answer.text
            if status in AT_REST:
                return status
            await anyio.sleep(0.02)
        return status

    async def _promise(self, fact: str, value: Any, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """Ask for something that changes a fact: known once it is answered, either way until then."""
        before = self.may[fact]
        self.may[fact] = before | {value}
        answer = await ask()
        assert answer.status_code < 500, answer.text
        if answer.is_success:
            self.acknowledged += 1
            self.may[fact] = {value}
        else:
            self.may[fact] = before
        return answer

    async def _attach(self, http: httpx.AsyncClient, volume_id: str) -> None:
        if await self._rest(http, volume_id) != "available":
            return
        params = {"name": "^keeps$", "all_tenants": "1"}
        servers = (await http.get(f"{COMPUTE}/servers", params=params)).json()["servers"]
        if servers:
            server = self._dice.choice(servers)["id"]
            body = {"volumeAttachment": {"volumeId": volume_id}}
            path = f"{COMPUTE}/servers/{server}/os-volume_attachments"
            await self._promise("server", server, lambda: http.post(path, json=body))

    async def _detach(self, http: httpx.AsyncClient, volume_id: str) -> None:
        [server, *more] = self.may["server"]
        if server is not None and not more and await self._rest(http, volume_id) == "in-use":
            path = f"{COMPUTE}/servers/{server}/os-volume_attachments/{volume_id}"
            await self._promise("server", None, lambda: http.delete(path))

    async def _grow(self, http: httpx.AsyncClient, volume_id: str) -> None:
        size = max(self.may["size"]) + 1
        if size < 9 and await self._rest(http, volume_id) in ("available", "in-use"):
            await self._promise("size", size, lambda: self._act(http, volume_id, "os-extend", {"new_size": size}))

    async def _retype(self, http: httpx.AsyncClient, volume_id: str) -> None:
        kind = self._dice.choice(("red", "blue"))
        if await self._rest(http, volume_id) == "available":
            body = {"new_type": kind, "migration_policy": "never"}
            await self._promise("type", kind, lambda: self._act(http, volume_id, "os-retype", body))

    async def _move(self, http: httpx.AsyncClient, volume_id: str) -> None:
        """To another backend; whoever takes the volume meanwhile may end that, and nothing tells which of both."""
        if await self._rest(http, volume_id) in ("available", "in-use"):
            body = {"host": self._dice.choice(BACKENDS), "lock_volume": self._dice.random() < 0.5}
            answer = await self._act(http, volume_id, "os-migrate_volume", body)
            assert answer.status_code < 500, answer.text
            self.acknowledged += answer.is_success

    async def _hand_over(self, http: httpx.AsyncClient, volume_id: str) -> None:
        if await self._rest(http, volume_id) not in ("available", "awaiting-transfer"):
            return
        offers = await http.get(f"{VOLUMES}/volume-transfers", params={"all_tenants": "1", "volume_id": volume_id})
        for known in offers.json()["transfers"]:
            await http.delete(f"{VOLUMES}/volume-transfers/{known['id']}")
        offered = await http.post(f"{VOLUMES}/volume-transfers", json={"transfer": {"volume_id": volume_id}})
        if offered.is_success:
            made = offered.json()["transfer"]
            project = self._dice.choice(list(self._projects))
            body, headers = {"accept": {"auth_key": made["auth_key"]}}, self._projects[project]
            path = f"{VOLUMES}/volume-transfers/{made['id']}/accept"
            await self._promise("project", project, lambda: http.post(path, json=body, headers=headers))

    async def _keep(self, http: httpx.AsyncClient, volume_id: str) -> None:
        """A backup, which is given back to the volume if that is free."""
        if await self._rest(http, volume_id) not in ("available", "in-use"):
            return
        body = {"volume_id": volume_id, "name": self.name, "force": True}
        made = await http.post(f"{VOLUMES}/backups", json={"backup": body})
        assert made.status_code < 500, made.text
        if not made.is_success:
            return
        self.acknowledged += 1
        backup = made.json()["backup"]["id"]
        await self._rest(http, volume_id)
        if self.may["server"] == {None} and len(self.may["size"]) == 1:
            answer = await http.post(f"{VOLUMES}/backups/{backup}/restore", json={"restore": {"volume_id": volume_id}})
            assert answer.status_code < 500, answer.text
        else:
            await http.delete(f"{VOLUMES}/backups/{backup}")

    async def _freeze(self, http: httpx.AsyncClient, volume_id: str) -> None:
        """A snapshot, of which a server is booted that takes its volume along."""
        if await self._rest(http, volume_id) not in ("available", "in-use"):
            return
        body = {"volume_id": volume_id, "name": self.name, "force": True}
        made = await http.post(f"{VOLUMES}/snapshots", json={"snapshot": body})
        assert made.status_code < 500, made.text
        await self._rest(http, volume_id)

    async def _boot(self, http: httpx.AsyncClient, volume_id: str) -> None:
        """A server on a new volume of an image or of a snapshot, or on a blank one beside, which goes with it."""
        params = {"all_tenants": "1", "status": "available", "name": self.name}
        frozen = (await http.get(f"{VOLUMES}/snapshots", params=params)).json()["snapshots"]
        root: dict[str, Any] = {"source_type": "image", "uuid": self._image, "volume_size": 1}
        if frozen and self._dice.random() < 0.5:
            root = {"source_type": "snapshot", "uuid": self._dice.choice(frozen)["id"]}
        root |= {"destination_type": "volume", "boot_index": 0, "delete_on_termination": True}
        body = {"name": f"{self.name}s", "flavorRef": "1", "networks": "auto", "block_device_mapping_v2": [root]}
        made = await http.post(f"{COMPUTE}/servers", json={"server": body})
        assert made.status_code < 500, made.text
        self.acknowledged += made.is_success

    async def _take_away(self, http: httpx.AsyncClient, volume_id: str) -> None:
        """Servers that pass, snapshots and backups go; sometimes the volume."""
        params = {"all_tenants": "1", "name": f"^{self.name}s$"}
        passing = (await http.get(f"{COMPUTE}/servers/detail", params=params)).json()["servers"]
        for server in passing[:3]:
            await http.delete(f"{COMPUTE}/servers/{server['id']}")
        if any(server["status"] == "BUILD" for server in passing):
            # It may be made of one of the snapshots.
            return
        for kind in ("snapshots", "backups"):
            listed = await http.get(f"{VOLUMES}/{kind}", params={"all_tenants": "1", "name": self.name})
            for one in listed.json()[kind][:3]:
                await http.delete(f"{VOLUMES}/{kind}/{one['id']}")
        if self._dice.random() < 0.3 and await self._rest(http, volume_id) == "available":
            answer = await self._promise("gone", True, lambda: http.delete(f"{VOLUMES}/volumes/{volume_id}"))
            if answer.is_success:
                self.volume = None

    async def _act(self, http: httpx.AsyncClient, volume_id: str, name: str, body: Any) -> httpx.Response:
        return await http.post(f"{VOLUMES}/volumes/{volume_id}/action", json={name: body})

    _works = (_attach, _attach, _detach, _grow, _retype, _move, _move, _hand_over, _keep, _freeze, _boot, _take_away)

    def compare(self, found: dict[str, dict[str, Any]]) -> None:
        """The volume is as its keeper was told. What was not known is known now."""
        if self.volume is None:
            return
        volume = found.get(self.volume)
        if volume is None:
            assert True in self.may["gone"], f"volume {self.volume} was promised and is not there"
            self.volume = None
            return
        attached = [one["server_id"] for one in volume["attachments"]] or [None]
        is_now = {
            "gone": False,
            "size": volume["size"],
            "type": volume["volume_type"],
            "server": attached[0],
            "project": volume["os-vol-tenant-attr:tenant_id"],
        }
        for fact, value in is_now.items():
            assert not self.may[fact] or value in self.may[fact], (
                f"{fact} of volume {self.volume} is {value}, not one of {self.may[fact]}"
            )
            self.may[fact] = {value}


async def prepare(cloud: Killable) -> tuple[httpx.Headers, dict[str, dict[str, str]], str]:
    """No limits, two types, two servers that keep volumes; an administrator's headers, by project too, and the image."""
    projects: dict[str, dict[str, str]] = {}
    for name in ("admin", "demo"):
        headers = {**await cloud.sign_in("admin", name), "OpenStack-API-Version": "volume 3.70, compute 2.90"}
        async with httpx.AsyncClient(base_url=cloud.url, timeout=30, headers=headers) as http:
            found = (await http.get("/identity/v3/projects", params={"name": name})).json()["projects"][0]["id"]
            projects[found] = headers
            for service, limited in ((COMPUTE, OF_SERVERS), (VOLUMES, OF_VOLUMES)):
                limits = {"quota_set": dict.fromkeys(limited, -1)}
                answer = await http.put(f"{service}/os-quota-sets/{found}", json=limits)
                assert answer.status_code == 200, answer.text
    async with httpx.AsyncClient(base_url=cloud.url, timeout=30, headers=headers) as http:
        for name in ("red", "blue"):
            assert (await http.post(f"{VOLUMES}/types", json={"volume_type": {"name": name}})).status_code == 200
        image = await _an_image(http)
        for _ in range(2):
            body = {"name": "keeps", "flavorRef": "1", "imageRef": image, "networks": "auto"}
            assert (await http.post(f"{COMPUTE}/servers", json={"server": body})).status_code == 202
    return headers, projects, image


async def _an_image(http: httpx.AsyncClient) -> str:
    """The image of a new cloud, once it is in."""
    while True:
        images = (await http.get("/image/v2/images", params={"status": "active"})).json()["images"]
        if images:
            return str(images[0]["id"])
        await anyio.sleep(0.05)


async def settle(cloud: Killable, keepers: list[Keeper], headers: dict[str, str]) -> None:
    """Wait until the cloud is at rest; then every volume is as its keeper was told."""
    give_up = time.monotonic() + SETTLE_LIMIT_S
    while wrong := volume_disorder(cloud.folder):
        assert time.monotonic() < give_up, "\n".join(wrong)
        await anyio.sleep(0.2)
    async with httpx.AsyncClient(base_url=cloud.url, headers=headers, timeout=30) as http:
        answer = await http.get(f"{VOLUMES}/volumes/detail", params={"all_tenants": "1"})
        found = {volume["id"]: volume for volume in answer.json()["volumes"]}
    for keeper in keepers:
        keeper.compare(found)


async def test_work_on_volumes_is_finished_or_was_never_begun(cloud: Killable) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    await cloud.start()
    headers, projects, image = await prepare(cloud)
    keepers = [Keeper(f"keeper{number}", random.Random(SEED + number), image, projects) for number in range(KEEPERS)]
    kills = 0
    while kills < KILLS:
        limits = httpx.Limits(max_connections=KEEPERS)
        async with (
            httpx.AsyncClient(base_url=cloud.url, headers=headers, timeout=30, limits=limits) as http,
            anyio.create_task_group() as tasks,
        ):
            for keeper in keepers:
                tasks.start_soon(keeper.work, http)
            await anyio.sleep(dice.uniform(0.1, 1.5))
            cloud.kill()
        kills += 1
        if dice.random() < 0.3:
            # Killed again in the middle of its recovery.
            cloud.begin()
            await anyio.sleep(dice.uniform(0.3, 1.0))
            cloud.kill()
            kills += 1
        await cloud.start()
        await settle(cloud, keepers, headers)
    acknowledged = sum(keeper.acknowledged for keeper in keepers)
    print(f"{kills} kills, {acknowledged} acknowledgements")
    assert acknowledged > KILLS
