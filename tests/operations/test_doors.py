"""The proxy command to floating addresses: into the namespaces of a cloud without root, and straight as root."""

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from minicloud.operations.doors import to_address
from tests.support.fabrics import (
    a_cloud_id,
    a_gateway,
    a_lab,
    a_network,
    a_port,
    a_router,
    an_external_network,
    blocking,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stand-in guests of these tests need root"),
]


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


async def test_a_floating_address_of_a_cloud_without_root_is_reached_by_its_proxy_command(tmp_path: Path) -> None:
    (tmp_path / "cloud-id").write_text(a_cloud_id())
    (tmp_path / "fabric").mkdir()
    async with a_lab(tmp_path / "fabric", rootless=True) as lab:
        inner, outer = a_network(1, leases={11: "10.0.0.11"}), an_external_network(2)
        for network in (inner, outer):
            await lab.fabric.ensure_network(network)
        gateway = a_gateway(41, outer, "203.0.113.10/24")
        router = a_router(4, {31: (inner, "10.0.0.1/24")}, gateway=gateway, floating={"203.0.113.50": "10.0.0.11"})
        await lab.fabric.ensure_router(router)
        guest = await lab.guest(a_port(11, inner, "10.0.0.11"))
        await blocking(guest.serve, 80, b"here")
        heard = await anyio.run_process(to_address(tmp_path, "203.0.113.50", 80))
        assert heard.stdout == b"203.0.113.1 here"


async def test_without_a_cloud_of_that_kind_it_connects_directly(tmp_path: Path) -> None:
    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.send(b"straight")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        heard = await anyio.run_process(to_address(tmp_path, "127.0.0.1", port))
        assert heard.stdout == b"straight"
        tasks.cancel_scope.cancel()
