"""A real guest that moves: to another host, to another flavor and back, from another image, onto a shelf; what it wrote goes along."""

import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from minicloud.operations import offline
from tests.support.bootsector import boot_disk
from tests.support.killable import Killable

pytestmark = [pytest.mark.anyio, pytest.mark.journey, pytest.mark.qemu]
LIMIT_S = 120.0
READY = "boot sector ready"
WRITTEN = "write -P 90 1M 64k"
READ = "read -P 90 1M 64k"


@pytest.fixture
def anyio_backend() -> str:
    """Real guests live in real time."""
    return "asyncio"


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Killable]:
    killable = Killable(
        tmp_path / "data",
        *("--driver", "qemu", "--hosts", "2"),
        accelerator="tcg",
        guest_image="none",
        password_cost="cheap",
        shutdown_timeout="5",
    )
    killable.begin()
    try:
        await killable.up()
        yield killable
    finally:
        killable.end()
        with anyio.CancelScope(shield=True):
            await offline.purge(tmp_path / "data", lambda _: None)


class Mover:
    """The one server of this cloud, as an administrator sees it."""

    def __init__(self, cloud: Killable, headers: dict[str, str]) -> None:
        self.cloud = cloud
        self.http = httpx.AsyncClient(
            base_url=cloud.url, headers={**headers, "OpenStack-API-Version": "compute 2.90"}, timeout=60
        )
        self.id = ""

    async def made(self) -> None:
        """A server on a disk that boots in a moment, in a flavor as small as can be."""
        for name, ram, vcpus, disk in (("small", 64, 1, 1), ("large", 96, 2, 2)):
            flavor = {"name": name, "id": name, "ram": ram, "vcpus": vcpus, "disk": disk}
            assert (await self.http.post("/compute/v2.1/flavors", json={"flavor": flavor})).status_code == 200
        image = {"name": "boot", "disk_format": "raw", "container_format": "bare"}
        image_id = (await self.http.post("/image/v2/images", json=image)).json()["id"]
        octets = {"Content-Type": "application/octet-stream"}
        await self.http.put(f"/image/v2/images/{image_id}/file", content=boot_disk(), headers=octets)
        networks = (await self.http.get("/network/v2.0/networks", params={"name": "private"})).json()["networks"]
        card = [{"uuid": networks[0]["id"]}]
        body = {"name": "web", "flavorRef": "small", "imageRef": image_id, "networks": card}
        asked = await self.http.post("/compute/v2.1/servers", json={"server": body})
        self.id = asked.json()["server"]["id"]
        await self.becomes("ACTIVE")

    async def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"/compute/v2.1/servers/{self.id}")).json()["server"]
        return found

    async def becomes(self, status: str) -> dict[str, Any]:
        """Wait until it has this status and no task."""
        give_up = time.monotonic() + LIMIT_S
        while True:
            server = await self.shown()
            if server["status"] == status and server["OS-EXT-STS:task_state"] is None:
                return server
            assert server["status"] != "ERROR", server["fault"]
            assert time.monotonic() < give_up, server
            await anyio.sleep(0.1)

    async def does(self, action: dict[str, Any], status: str) -> dict[str, Any]:
        answer = await self.http.post(f"/compute/v2.1/servers/{self.id}/action", json=action)
        assert answer.status_code in (200, 202, 204), answer.text
        return await self.becomes(status)

    async def speaks(self) -> None:
        """Wait until its guest has said that it is there, on the console of the host where it is now."""
        give_up = time.monotonic() + LIMIT_S
        while True:
            answer = await self.http.post(f"/compute/v2.1/servers/{self.id}/action", json={"os-getConsoleOutput": {}})
            if READY in answer.json().get("output", ""):
                return
            assert time.monotonic() < give_up, answer.text
            await anyio.sleep(0.1)

    def folder(self, host: str) -> Path:
        return self.cloud.folder / "hosts" / host / "instances" / self.id

    def machine(self, host: str) -> dict[str, Any]:
        """What its host's record says of it."""
        found: dict[str, Any] = msgspec.json.decode((self.folder(host) / "machine.json").read_bytes())["machine"]
        return found

    def disk(self, host: str, command: str) -> None:
        """Write to its disk, or see that there is what was written."""
        how = ["-r", "-U"] if command.startswith("read") else []
        words = ["qemu-io", "-f", "qcow2", *how, "-c", command, str(self.folder(host) / "disk")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, "failed" in done.stdout) == (0, False), done.stdout + done.stderr

    def pid(self, host: str) -> int:
        return int(msgspec.json.decode((self.folder(host) / "machine.json").read_bytes())["pid"])

    async def said(self, host: str) -> str:
        """What its guest has said on this host."""
        return await anyio.Path(self.folder(host) / "console.log").read_text()

    def size(self, host: str) -> int:
        return int(self._about(host)["virtual-size"])

    def snapshots(self, host: str) -> list[Any]:
        found: list[Any] = self._about(host).get("snapshots", [])
        return found

    def _about(self, host: str) -> dict[str, Any]:
        words = ["qemu-img", "info", "-U", "--output=json", str(self.folder(host) / "disk")]
        found: dict[str, Any] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        return found

    async def switched(self, host: str, status: str) -> None:
        """The scheduler may take this host, or may not."""
        services = (await self.http.get("/compute/v2.1/os-services", params={"host": host})).json()["services"]
        [service] = [one["id"] for one in services if one["binary"] == "nova-compute"]
        answer = await self.http.put(f"/compute/v2.1/os-services/{service}", json={"status": status})
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def web(cloud: Killable) -> AsyncIterator[Mover]:
    mover = Mover(cloud, await cloud.sign_in("admin", "admin"))
    async with mover.http:
        yield mover


async def test_a_guest_moves_and_what_it_wrote_goes_along(web: Mover) -> None:
    await web.made()
    source = (await web.shown())["OS-EXT-SRV-ATTR:host"]
    other = {"host-1": "host-2", "host-2": "host-1"}[source]
    await web.does({"os-stop": None}, "SHUTOFF")
    web.disk(source, WRITTEN)
    await web.does({"os-start": None}, "ACTIVE")

    # To another host: the old one keeps its disk until the move is confirmed.
    moved = await web.does({"migrate": {"host": other}}, "VERIFY_RESIZE")
    assert moved["OS-EXT-SRV-ATTR:host"] == other
    await web.speaks()
    web.disk(other, READ)
    web.disk(source, READ)
    await web.does({"confirmResize": None}, "ACTIVE")
    assert not web.folder(source).exists()

    # To another flavor and back, on the only host that may be: there its disk is kept as a snapshot of itself.
    await web.switched(source, "disabled")
    await web.does({"resize": {"flavorRef": "large"}}, "VERIFY_RESIZE")
    assert (web.machine(other)["memory_mb"], web.machine(other)["vcpus"], web.size(other)) == (96, 2, 2 << 30)
    web.disk(other, READ)
    await web.does({"revertResize": None}, "ACTIVE")
    assert (web.machine(other)["memory_mb"], web.size(other)) == (64, 1 << 30)
    web.disk(other, READ)
    await web.does({"resize": {"flavorRef": "large"}}, "VERIFY_RESIZE")
    await web.does({"confirmResize": None}, "ACTIVE")
    await web.does({"reboot": {"type": "HARD"}}, "ACTIVE")
    assert (web.size(other), web.snapshots(other)) == (2 << 30, [])
    web.disk(other, READ)
    await web.switched(source, "enabled")

    # From another image, with its own disk behind it.
    await web.does({"rescue": None}, "RESCUE")
    assert [disk["id"] for disk in web.machine(other)["disks"]] == ["rescue", "root"]
    await web.does({"unrescue": None}, "ACTIVE")
    assert [disk["id"] for disk in web.machine(other)["disks"]] == ["root"]
    assert not (web.folder(other) / "disk.rescue").exists()

    # To the other host while it runs, where it goes on without another boot.
    pid = web.pid(other)
    await web.does({"os-migrateLive": {"host": None, "block_migration": "auto"}}, "ACTIVE")
    assert (await web.shown())["OS-EXT-SRV-ATTR:host"] == source
    assert web.folder(other).exists() is False
    assert web.pid(source) != pid
    assert await web.said(source) == "", "a guest that had booted again would have said so"
    web.disk(source, READ)
    await web.does({"migrate": {"host": other}}, "VERIFY_RESIZE")
    await web.does({"confirmResize": None}, "ACTIVE")

    # Onto a shelf, where it is an image and nothing else; and down again.
    await web.does({"shelve": None}, "SHELVED_OFFLOADED")
    assert not web.folder(other).exists()
    back = await web.does({"unshelve": None}, "ACTIVE")
    now = back["OS-EXT-SRV-ATTR:host"]
    await web.speaks()
    web.disk(now, READ)
