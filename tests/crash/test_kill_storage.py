"""SIGKILL while real files are uploaded, put on volumes, frozen, cloned, backed up and restored: whole or not there at all."""

import hashlib
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.support.killable import Killable

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.crash,
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed"),
]
SEED = 20261128
KILLS = 6
CLIENTS = 6
IMAGE_BYTES = 3 << 20
SETTLE_LIMIT_S = 120.0
VOLUME = "/volume/v3"
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def anyio_backend() -> str:
    """Real processes live in real time."""
    return "asyncio"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Killable]:
    killable = Killable(
        tmp_path / "data",
        *("--driver", "qemu"),
        fabric="fake",
        accelerator="tcg",
        guest_image="none",
        reconcile_interval="0.5",
        password_cost="cheap",
        shutdown_timeout="5",
    )
    try:
        yield killable
    finally:
        killable.end()


class Keeper:
    """Clients at work until the cloud goes away; what was promised to them, by kind and id: whether it shall be there."""

    def __init__(self, headers: dict[str, str], content: bytes, dice: random.Random) -> None:
        self._headers = headers
        self._content = content
        self._dice = dice
        self.promised: dict[str, dict[str, bool]] = {kind: {} for kind in ("images", *KINDS)}
        self._in_use: set[str] = set()
        self.acknowledged = 0

    async def rage(self, url: str) -> None:
        async with (
            httpx.AsyncClient(base_url=url, headers=self._headers, timeout=60) as http,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(CLIENTS):
                tasks.start_soon(self._client, http)

    async def acknowledges(self, more: int) -> None:
        """Wait until so much more was promised."""
        wanted, give_up = self.acknowledged + more, time.monotonic() + SETTLE_LIMIT_S
        while self.acknowledged < wanted:
            assert time.monotonic() < give_up, f"only {more - (wanted - self.acknowledged)} of {more} answers came"
            await anyio.sleep(0.02)

    def _promise(self, kind: str, one: str, there: bool = True) -> None:
        self.promised[kind][one] = there
        self.acknowledged += 1

    async def _client(self, http: httpx.AsyncClient) -> None:
        try:
            while True:
                await self._dice.choice(
                    (self._upload, self._volume, self._snapshot, self._clone, self._backup, self._delete)
                )(http)
        except httpx.TransportError:
            # The cloud is dead.
            return

    def _any(self, kind: str) -> str | None:
        """One that is there for sure, and that from now on something else may stand on."""
        found = [one for one, there in self.promised[kind].items() if there]
        if not found:
            return None
        chosen = self._dice.choice(found)
        self._in_use.add(chosen)
        return chosen

    async def _upload(self, http: httpx.AsyncClient) -> None:
        body = {"name": "one", "disk_format": "raw", "container_format": "bare"}
        made = await http.post("/image/v2/images", json=body)
        assert made.status_code == 201, made.text
        image_id = made.json()["id"]

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(self._content), 1 << 18):
                yield self._content[at : at + (1 << 18)]
                await anyio.sleep(0.01)

        sent = await http.put(f"/image/v2/images/{image_id}/file", content=pieces(), headers=OCTETS)
        assert sent.status_code == 204, sent.text
        self._promise("images", image_id)

    async def _volume(self, http: httpx.AsyncClient) -> None:
        if image_id := self._any("images"):
            await self._made(http, "volumes", "volume", {"size": 1, "imageRef": image_id})

    async def _snapshot(self, http: httpx.AsyncClient) -> None:
        if volume_id := self._any("volumes"):
            await self._made(http, "snapshots", "snapshot", {"volume_id": volume_id})

    async def _clone(self, http: httpx.AsyncClient) -> None:
        if self._dice.random() < 0.5 and (snapshot_id := self._any("snapshots")):
            await self._made(http, "volumes", "volume", {"size": 1, "snapshot_id": snapshot_id})
        elif volume_id := self._any("volumes"):
            await self._made(http, "volumes", "volume", {"size": 1, "source_volid": volume_id})

    async def _backup(self, http: httpx.AsyncClient) -> None:
        if self._dice.random() < 0.5 and (backup_id := self._any("backups")):
            answer = await http.post(f"{VOLUME}/backups/{backup_id}/restore", json={"restore": {}})
            assert answer.status_code in (202, 400), answer.text
            if answer.status_code == 202:
                self._promise("volumes", answer.json()["restore"]["volume_id"])
        elif volume_id := self._any("volumes"):
            await self._made(http, "backups", "backup", {"volume_id": volume_id})

    async def _made(self, http: httpx.AsyncClient, kind: str, wrap: str, body: dict[str, Any]) -> None:
        """Refused where what it is made of is not at rest yet."""
        answer = await http.post(f"{VOLUME}/{kind}", json={wrap: body})
        assert answer.status_code in (202, 400), answer.text
        if answer.status_code == 202:
            self._promise(kind, answer.json()[wrap]["id"])

    async def _delete(self, http: httpx.AsyncClient) -> None:
        """Of what nothing stands on."""
        kind = self._dice.choice(KINDS)
        free = [one for one, there in self.promised[kind].items() if there and one not in self._in_use]
        if free:
            chosen = free[0]
            self._in_use.add(chosen)
            # Until it is answered, both may be.
            del self.promised[kind][chosen]
            answer = await http.delete(f"{VOLUME}/{kind}/{chosen}")
            assert answer.status_code in (202, 400), answer.text
            self._promise(kind, chosen, answer.status_code == 400)


KINDS = ("volumes", "snapshots", "backups")


async def settled(cloud: Killable) -> None:
    """No saga is under way and no file is unfinished any more."""
    give_up = time.monotonic() + SETTLE_LIMIT_S
    while wrong := [*_open_sagas(cloud.folder), *_unfinished(cloud.folder)]:
        assert time.monotonic() < give_up, "\n".join(wrong)
        await anyio.sleep(0.2)


def _open_sagas(folder: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{folder / 'cloud.db'}?mode=ro", uri=True)) as db:
        return [
            " ".join(map(str, row))
            for row in db.execute(
                "SELECT kind, resource, state FROM sagas WHERE state NOT IN ('finished', 'rolled_back')"
            )
        ]


def _unfinished(folder: Path) -> list[str]:
    places = ("storage/*/.*", "_base/.*", "blobs/incoming/*")
    return [str(path) for place in places for path in folder.glob(place)]


async def expect_whole(cloud: Killable, keeper: Keeper, headers: dict[str, str], content: bytes) -> None:
    """What was promised is there and holds what it should; nothing else lies about."""
    folder = cloud.folder
    async with httpx.AsyncClient(base_url=cloud.url, headers=headers, timeout=60) as http:
        images = (await http.get("/image/v2/images", params={"limit": "1000"})).json()["images"]
        found = {kind: (await http.get(f"{VOLUME}/{kind}/detail")).json()[kind] for kind in KINDS}
    states = {image["id"]: image["status"] for image in images}
    assert set(states.values()) <= {"active", "queued"}
    blobs = {path.name: path for path in folder.glob("blobs/??/*")}
    for image_id in keeper.promised["images"]:
        assert states[image_id] == "active"
        assert hashlib.sha512(blobs[image_id].read_bytes()).digest() == hashlib.sha512(content).digest()
    assert {key for key in states if states[key] == "queued"}.isdisjoint(blobs)
    for kind in KINDS:
        there = {one["id"]: one["status"] for one in found[kind]}
        assert set(there.values()) <= {"available"}, (kind, there)
        for promised, stays in keeper.promised[kind].items():
            assert (promised in there) == stays, f"{kind} {promised} shall {'be there' if stays else 'be gone'}"
        keeper.promised[kind] = dict.fromkeys(there, True)
    volumes = {path.stem: path for path in (folder / "storage" / "volumes").glob("*")}
    assert set(volumes) == {one["id"] for one in found["volumes"]}
    assert {path.name for path in (folder / "storage" / "snapshots").glob("*")} == {
        one["id"] for one in found["snapshots"]
    }
    for path in volumes.values():
        await anyio.to_thread.run_sync(expect_content, path, content)


def expect_content(path: Path, content: bytes) -> None:
    out = path.parents[2] / "looked-at.raw"
    subprocess.run(
        ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=1M", "count=3", f"if={path}", f"of={out}"], check=True
    )
    assert out.read_bytes() == content, f"{path} holds something else"
    out.unlink()


async def test_what_lies_in_files_is_whole_or_not_there(cloud: Killable) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    content = dice.randbytes(IMAGE_BYTES)
    await cloud.start()
    headers, admin = await cloud.sign_in("demo", "demo"), await cloud.sign_in("admin", "admin")
    async with httpx.AsyncClient(base_url=cloud.url, timeout=60) as http:
        projects = await http.get("/identity/v3/projects", params={"name": "demo"}, headers=admin)
        limits = {"quota_set": dict.fromkeys((*KINDS, "gigabytes", "backup_gigabytes"), -1)}
        path = f"{VOLUME}/os-quota-sets/{projects.json()['projects'][0]['id']}"
        answer = await http.put(path, json=limits, headers=admin)
        assert answer.status_code == 200, answer.text
    keeper = Keeper(headers, content, dice)
    for kill in range(KILLS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(keeper.rage, cloud.url)
            await keeper.acknowledges(dice.randint(1, 12))
            await anyio.sleep(dice.uniform(0.0, 0.5))
            cloud.kill()
        if kill % 3 == 2:
            # Killed again in the middle of its recovery.
            cloud.begin()
            await anyio.sleep(dice.uniform(0.5, 2.0))
            cloud.kill()
        await cloud.start()
        await settled(cloud)
        await expect_whole(cloud, keeper, headers, content)
    print(keeper.acknowledged, {kind: len(there) for kind, there in keeper.promised.items()})
    assert all(keeper.promised.values())
    assert keeper.acknowledged > 2 * KILLS
