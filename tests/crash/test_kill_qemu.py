"""SIGKILL of a cloud with a real guest alive: the guest is the same process after each start, answers, and obeys as before."""

import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from tests.support.bootsector import READY, boot_disk
from tests.support.killable import Killable, end_guests

pytestmark = [pytest.mark.anyio, pytest.mark.crash, pytest.mark.qemu]
SEED = 20261121
KILLS = 6
GUEST_LIMIT_S = 90.0


@pytest.fixture
def anyio_backend() -> str:
    """Real processes live in real time."""
    return "asyncio"


class Guest:
    """The one server of this cloud, as its owner and its machine know it."""

    def __init__(self, cloud: Killable, headers: dict[str, str], server_id: str) -> None:
        self._cloud = cloud
        self._headers = headers
        self.id = server_id
        self.folder = cloud.folder / "hosts" / "host-1" / "instances" / server_id

    async def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self._cloud.url, headers=self._headers, timeout=60) as http:
            return await http.request(method, f"/compute/v2.1/servers/{self.id}{path}", json=body)

    async def becomes(self, status: str) -> None:
        """Wait until its owner sees this status and no task."""
        give_up = time.monotonic() + GUEST_LIMIT_S
        while True:
            server = (await self.ask("GET", "")).json()["server"]
            if server["status"] == status and server["OS-EXT-STS:task_state"] is None:
                return
            assert server["status"] != "ERROR", server
            assert time.monotonic() < give_up, server
            await anyio.sleep(0.1)

    async def says(self, text: str) -> None:
        """Wait until this stands in its console log, as its owner reads it."""
        give_up = time.monotonic() + GUEST_LIMIT_S
        while text not in (said := (await self.ask("POST", "/action", {"os-getConsoleOutput": {}})).json()["output"]):
            assert time.monotonic() < give_up, said
            await anyio.sleep(0.1)

    async def hears(self, text: str) -> None:
        """Type this at its serial console; it echoes every letter."""
        # The path may be longer than the name of a socket can be.
        folder = os.open(self.folder, os.O_PATH)
        try:
            async with await anyio.connect_unix(f"/proc/self/fd/{folder}/serial") as console:
                for letter in text:
                    await console.send(letter.encode())
                    assert await console.receive(1) == letter.encode()
        finally:
            os.close(folder)

    def pid(self) -> int:
        """Its process."""
        pid: int = msgspec.json.decode((self.folder / "machine.json").read_bytes())["pid"]
        return pid


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Killable]:
    killable = Killable(
        tmp_path / "data",
        *("--driver", "qemu"),
        fabric="user",
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
        end_guests(tmp_path / "data")


async def a_guest(cloud: Killable) -> Guest:
    """A server without a network on a disk that boots in a moment."""
    headers = await cloud.sign_in("demo", "demo")
    async with httpx.AsyncClient(base_url=cloud.url, headers=headers, timeout=60) as http:
        image = {"name": "boot", "disk_format": "raw", "container_format": "bare"}
        made = await http.post("/image/v2/images", json=image)
        path = f"/image/v2/images/{made.json()['id']}/file"
        sent = await http.put(path, content=boot_disk(), headers={"Content-Type": "application/octet-stream"})
        assert sent.status_code == 204, sent.text
        body = {"name": "web", "flavorRef": "1", "imageRef": made.json()["id"], "networks": "none"}
        asked = await http.post("/compute/v2.1/servers", json={"server": body})
        assert asked.status_code == 202, asked.text
    guest = Guest(cloud, headers, asked.json()["server"]["id"])
    await guest.becomes("ACTIVE")
    await guest.says(READY.decode().strip())
    return guest


async def test_a_running_guest_survives_kills_and_is_found_again(cloud: Killable) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    await cloud.start()
    guest = await a_guest(cloud)
    pid = guest.pid()
    said = ""
    for kill in range(KILLS):
        cloud.kill()
        if kill % 2:
            cloud.begin()
            await anyio.sleep(dice.uniform(0.1, 1.0))
            cloud.kill()
        # While nobody watches over it, it goes on.
        word = f"life{chr(ord('a') + kill)}"
        await guest.hears(word)
        said += word
        await cloud.start()
        await guest.becomes("ACTIVE")
        assert guest.pid() == pid
        await guest.says(said)
    # It obeys as it did before: off by its power button, on again as a new process, and gone.
    assert (await guest.ask("POST", "/action", {"os-stop": None})).status_code == 202
    await guest.becomes("SHUTOFF")
    await guest.says("Power down")
    cloud.kill()
    await cloud.start()
    await guest.becomes("SHUTOFF")
    assert (await guest.ask("POST", "/action", {"os-start": None})).status_code == 202
    await guest.becomes("ACTIVE")
    assert guest.pid() != pid
    assert (await guest.ask("DELETE", "")).status_code == 204
    give_up = time.monotonic() + GUEST_LIMIT_S
    while guest.folder.exists() or (await guest.ask("GET", "")).status_code != 404:
        assert time.monotonic() < give_up, list(guest.folder.iterdir())
        await anyio.sleep(0.1)


async def test_a_guest_that_dies_while_its_cloud_is_dead_is_found_shut_off(cloud: Killable) -> None:
    await cloud.start()
    guest = await a_guest(cloud)
    pid = guest.pid()
    cloud.kill()
    os.kill(pid, signal.SIGKILL)
    await cloud.start()
    await guest.becomes("SHUTOFF")
    assert (await guest.ask("POST", "/action", {"os-start": None})).status_code == 202
    await guest.becomes("ACTIVE")
    assert guest.pid() != pid


async def test_a_build_or_a_stop_that_was_cut_short_is_finished_by_the_next_life(cloud: Killable) -> None:
    dice = random.Random(SEED)
    await cloud.start()
    guest = await a_guest(cloud)
    for round_ in range(3):
        body = {"os-stop": None} if round_ % 2 == 0 else {"os-start": None}
        assert (await guest.ask("POST", "/action", body)).status_code == 202
        await anyio.sleep(dice.uniform(0.0, 0.4))
        cloud.kill()
        await cloud.start()
        await guest.becomes("SHUTOFF" if round_ % 2 == 0 else "ACTIVE")
