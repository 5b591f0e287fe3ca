"""User networking: the forwarded port that a guest keeps, sockets of any path, and what it cannot do."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from minicloud.base.errors import Unavailable
from minicloud.drivers.fabric import UserPlug
from minicloud.drivers.fabric.user import UserFabric
from tests.support.fabrics import a_network, a_port, tell_caller
from tests.support.userguests import ask_over_guestfwd

pytestmark = pytest.mark.anyio

NETWORK = a_network(1)
PORT = a_port(11, NETWORK, "10.0.0.11")


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@asynccontextmanager
async def a_user_fabric(folder: Path) -> AsyncIterator[UserFabric]:
    fabric = UserFabric(folder)
    await fabric.open(tell_caller)
    try:
        await fabric.ensure_network(NETWORK)
        yield fabric
    finally:
        await fabric.close()


async def _plug(fabric: UserFabric) -> tuple[str, int]:
    plug = await fabric.ensure_port(PORT)
    assert isinstance(plug, UserPlug)
    assert plug.ssh is not None
    assert f"hostfwd=tcp:{plug.ssh}-:22," in plug.options
    return plug.options, int(plug.ssh.rpartition(":")[2])


async def test_a_guest_keeps_its_forwarded_port_over_restarts(tmp_path: Path) -> None:
    async with a_user_fabric(tmp_path) as fabric:
        first = await _plug(fabric)
    async with a_user_fabric(tmp_path) as fabric:
        assert await _plug(fabric) == first


async def test_a_port_that_a_stranger_took_is_exchanged(tmp_path: Path) -> None:
    async with a_user_fabric(tmp_path) as fabric:
        _, taken = await _plug(fabric)
        with socket.create_server(("127.0.0.1", taken)):
            _, other = await _plug(fabric)
            assert other != taken
        assert (await _plug(fabric))[1] == other


async def test_any_folder_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "a, long 'path'" / ("x" * 120)
    async with a_user_fabric(folder) as fabric:
        plug = await fabric.ensure_port(PORT)
        assert isinstance(plug, UserPlug)
        status, body = await ask_over_guestfwd(plug, "/")
        assert (status, body) == (200, b"None None 10.0.0.11")
        (door,) = folder.rglob("metadata.sock")
        assert door.stat().st_mode & 0o777 == 0o600
        assert door.parent.stat().st_mode & 0o777 == 0o700


async def test_only_ssh_of_wired_ports_can_be_reached(tmp_path: Path) -> None:
    async with a_user_fabric(tmp_path) as fabric:
        with pytest.raises(Unavailable):
            await fabric.reach(PORT, 22)
        _, port = await _plug(fabric)
        with pytest.raises(Unavailable, match="port 22"):
            await fabric.reach(PORT, 80)
        with socket.create_server(("127.0.0.1", port)) as server:
            async with await anyio.open_process(await fabric.reach(PORT, 22)) as relay:
                line, _ = await anyio.to_thread.run_sync(server.accept)
                with line:
                    line.sendall(b"SSH-2.0-here")
                assert relay.stdout is not None
                assert await relay.stdout.receive() == b"SSH-2.0-here"
                assert relay.stdin is not None
                await relay.stdin.aclose()
                assert await relay.wait() == 0
        await fabric.ensure_no_port(PORT.id)
        with pytest.raises(Unavailable):
            await fabric.reach(PORT, 22)
