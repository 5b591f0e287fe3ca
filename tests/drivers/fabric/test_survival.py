"""What outlives the process: networks whose owner was killed, at rest or in the middle of its work, found again and removed."""

import os
import pwd
import random
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import msgspec
import pytest

from minicloud.base.errors import Unavailable
from minicloud.drivers.fabric import Router, TapPlug
from minicloud.drivers.fabric.linux import LinuxFabric
from minicloud.drivers.fabric.linux.processes import read_mark
from minicloud.drivers.hypervisor.qemu.plugs import open_tap
from tests.support.everyone import python_path
from tests.support.fabric_process import INNER, PORT, ROUTER
from tests.support.fabrics import a_cloud_id, a_lab, blocking, eventually, tell_caller
from tests.support.tapguests import TapGuest, leftovers

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.crash,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stand-in guests of these tests need root"),
]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


def _python_for(how: str) -> tuple[str, dict[str, str]]:
    """An interpreter that this user may run, and how it finds our packages."""
    environment = {
        "PYTHONPATH": ":".join(python_path()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    if how != "nobody":
        return sys.executable, environment
    return f"/usr/bin/python3.{sys.version_info.minor}", environment


class Owner:
    """A process of ``fabric_process``."""

    def __init__(self, folder: Path, how: str) -> None:
        self.folder, self.how = folder, how

    @asynccontextmanager
    async def runs(self, verb: str) -> AsyncIterator[anyio.abc.Process]:
        """It runs until the end of the block, and dies by SIGKILL."""
        python, environment = _python_for(self.how)
        words = [python, "-m", "tests.support.fabric_process", str(self.folder), a_cloud_id(), self.how, verb]
        async with await anyio.open_process(words, env=environment, cwd="/", stderr=None) as process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):
                    process.kill()

    async def says(self, process: anyio.abc.Process) -> bytes:
        assert process.stdout is not None
        with anyio.fail_after(60):
            return await process.stdout.receive()

    async def purges(self) -> None:
        python, environment = _python_for(self.how)
        words = [python, "-m", "tests.support.fabric_process", str(self.folder), a_cloud_id(), self.how, "purge"]
        await anyio.run_process(words, env=environment, cwd="/", stderr=None)


@pytest.fixture(params=["root", "rootless", "nobody"])
async def owner(request: pytest.FixtureRequest) -> AsyncIterator[Owner]:
    how = str(request.param)
    if how == "nobody" and not os.access(_python_for(how)[0], os.X_OK):
        pytest.skip(f"the user nobody needs an interpreter of its own: {_python_for(how)[0]}")
    folder = Path(tempfile.mkdtemp(prefix="minicloud-test-"))
    if how == "nobody":
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    owner = Owner(folder, how)
    yield owner
    await owner.purges()
    shutil.rmtree(folder)


async def test_networks_outlive_a_killed_owner(owner: Owner) -> None:
    async with owner.runs("stand") as process:
        plug = msgspec.json.decode(await owner.says(process), type=TapPlug)
        guest = await blocking(TapGuest, await open_tap(plug), PORT.mac)
        try:
            offer = await blocking(guest.dhcp)
            assert offer is not None
            await blocking(guest.use, offer)
            expected = (200, f"{INNER.id} None 10.0.0.11".encode())
            assert await blocking(guest.http, "/") == expected
            dnsmasq = read_mark(owner.folder / "dhcp" / INNER.id / "process.json")
            assert dnsmasq is not None
            process.kill()
            await process.wait()
            assert await blocking(guest.dhcp) == offer
            async with owner.runs("stand") as second:
                assert msgspec.json.decode(await owner.says(second), type=TapPlug) == plug
                assert await blocking(guest.http, "/") == expected
                assert read_mark(owner.folder / "dhcp" / INNER.id / "process.json") == dnsmasq
        finally:
            await blocking(guest.close)
    await owner.purges()
    assert leftovers(a_cloud_id(), owner.folder) == []


async def test_an_owner_killed_in_the_middle_leaves_nothing_that_cannot_be_mended(owner: Owner) -> None:
    for seed in range(6):
        async with owner.runs("toil") as process:
            await owner.says(process)
            # Where it strikes is chance: the point is that every place is survivable.
            await anyio.sleep(random.Random(seed).random() * 0.3)
    async with owner.runs("stand") as process:
        plug = msgspec.json.decode(await owner.says(process), type=TapPlug)
        guest = await blocking(TapGuest, await open_tap(plug), PORT.mac)
        try:
            offer = await blocking(guest.dhcp)
            assert offer is not None
            await blocking(guest.use, offer)
            assert (await blocking(guest.http, "/"))[0] == 200
        finally:
            await blocking(guest.close)
    for seed in range(6, 9):
        async with owner.runs("toil") as process:
            await owner.says(process)
            await anyio.sleep(random.Random(seed).random() * 0.3)
        await owner.purges()
        assert leftovers(a_cloud_id(), owner.folder) == []


async def test_a_killed_holder_is_replaced(tmp_path: Path) -> None:
    async with a_lab(tmp_path, rootless=True) as lab:
        await lab.fabric.ensure_network(INNER)
        await lab.fabric.ensure_router(Router(id=ROUTER.id, interfaces=ROUTER.interfaces))
        first = read_mark(tmp_path / "holder.json")
        assert first is not None
        os.kill(first.pid, 9)

        async def dead() -> bool:
            return read_mark(tmp_path / "holder.json") is None

        await eventually(dead)
        facts = await lab.fabric.facts()
        assert (facts.networks, facts.routers) == ([], [])
        await lab.fabric.ensure_network(INNER)
        await lab.guest(PORT)
        assert lab.recording.facts("holder")[-1]["did"] == "started"
    assert leftovers(a_cloud_id(), tmp_path) == []


async def test_a_fabric_that_may_not_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="rootless or the user fabric"):
        await LinuxFabric(a_cloud_id(), tmp_path).open(tell_caller)
