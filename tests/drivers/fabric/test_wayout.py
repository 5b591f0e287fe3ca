"""The way out on a machine made for the test: a guest reaches a listener in the world behind it, and the world no guest."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from minicloud.base.errors import ToolMissing
from minicloud.base.tools import find
from minicloud.drivers.fabric import TapPlug
from minicloud.drivers.fabric.linux import wayout
from minicloud.drivers.fabric.linux.processes import Mark, mark, read_mark
from minicloud.drivers.hypervisor.qemu.plugs import open_tap
from tests.support.fabrics import a_cloud_id, blocking
from tests.support.tapguests import TapGuest, hear, in_namespace, leftovers, serve

pytestmark = [pytest.mark.anyio, pytest.mark.linux, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

HERE = Path(__file__).parents[3]
MACHINE, WORLD = f"mctm-{os.getpid()}", f"mctw-{os.getpid()}"
LISTENER = "198.51.100.7"


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture
def machine() -> Iterator[None]:
    """Two namespaces: a machine 192.0.2.2, and a world behind its default route."""
    made = f"""\
netns add {MACHINE}
netns add {WORLD}
link add name mcworld type veth peer name mcmachine
link set dev mcworld netns {MACHINE} name eth0
link set dev mcmachine netns {WORLD} name eth0
"""
    subprocess.run(["ip", "-batch", "-"], input=made.encode(), check=True)
    inside = {
        MACHINE: "address add 192.0.2.2/24 dev eth0\nlink set dev eth0 up\nlink set dev lo up\nroute add default via 192.0.2.1\n",
        WORLD: f"address add 192.0.2.1/24 dev eth0\naddress add {LISTENER}/32 dev eth0\nlink set dev eth0 up\nlink set dev lo up\n",
    }
    for namespace, lines in inside.items():
        subprocess.run(["ip", "-n", namespace, "-batch", "-"], input=lines.encode(), check=True)
    yield
    for namespace in (MACHINE, WORLD):
        subprocess.run(["ip", "netns", "delete", namespace], check=True)


@contextmanager
def a_fabric_there(folder: Path, how: str) -> Iterator[TapPlug]:
    """A fabric with a way out on that machine; it is purged in the end."""
    words = ["nsenter", f"--net=/run/netns/{MACHINE}", sys.executable, "-m", "tests.support.fabric_process"]
    words += [str(folder), a_cloud_id(), how]
    with subprocess.Popen([*words, "outside"], cwd=HERE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield msgspec.json.decode(process.stdout.readline(), type=TapPlug)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            subprocess.run([*words, "purge"], cwd=HERE, check=True)


def carriers_of(folder: Path) -> list[Mark]:
    """What carries a cloud's way out now."""
    return [found for file in folder.rglob("carrier.json") if (found := read_mark(file)) is not None]


@pytest.mark.parametrize("how", ["root", *wayout.CARRIERS])
async def test_guests_reach_the_world_and_the_world_no_guest(
    machine: None, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how != "root" and find(how) is None:
        pytest.skip(f"{how} is not installed")
    monkeypatch.setenv("MINICLOUD_TEST_CARRIER", how)
    folder = Path(tempfile.mkdtemp(prefix="minicloud-test-"))
    forwards = Path("/proc/sys/net/ipv4/ip_forward")
    there = f"/run/netns/{MACHINE}"
    before = in_namespace(there, forwards.read_text)
    listener = serve(f"/run/netns/{WORLD}", 80, b"world")
    try:
        with a_fabric_there(folder, how if how == "root" else "rootless") as plug:
            guest = await blocking(TapGuest, await open_tap(plug), "fa:16:3e:00:00:0b")
            try:
                offer = await blocking(guest.dhcp)
                assert offer is not None
                await blocking(guest.use, offer)
                await blocking(guest.serve, 80, b"guest")
                assert await blocking(guest.hear, LISTENER, 80) == b"192.0.2.2 world"
                carriers = carriers_of(folder)
                assert len(carriers) == (how != "root")
                await anyio.run_process(["ip", "-n", WORLD, *["route", "add", "203.0.113.0/24", "via", "192.0.2.2"]])
                world = f"/run/netns/{WORLD}"
                assert await blocking(in_namespace, world, lambda: hear("203.0.113.50", 80, 1.0)) is None
                if how == "root":
                    inside = await blocking(in_namespace, there, lambda: hear("203.0.113.50", 80, 5.0))
                    assert inside == b"203.0.113.1 guest", "the machine itself reaches its guests"
            finally:
                await blocking(guest.close)
        assert in_namespace(there, forwards.read_text) == before
        tables = await anyio.run_process(["nsenter", f"--net={there}", "nft", "list", "tables"])
        assert tables.stdout == b""
        assert leftovers(a_cloud_id(), folder) == []
        assert not [one for one in carriers if mark(one.pid) == one]
    finally:
        listener.close()
        shutil.rmtree(folder)


def test_without_a_carrier_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wayout, "find", lambda program: None)
    with pytest.raises(ToolMissing, match="apt install passt"):
        wayout.carrier(1)
