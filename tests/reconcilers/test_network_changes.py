"""What users change of their networks reaches hosts at once, through the whole cloud."""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.reconcilers.network_changes import BURST_S
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
NETWORK = "/network/v2.0"


def fabric_of(cloud: TestedCloud) -> FakeFabric:
    fabric = next(iter(cloud.cloud.agents.values())).fabric
    assert isinstance(fabric, FakeFabric)
    return fabric


async def one(cloud: TestedCloud, path: str) -> dict[str, Any]:
    answer = await cloud.demo.get(f"{NETWORK}{path}")
    [found] = next(iter(answer.json().values()))
    return dict(found)


async def test_a_floating_address_works_a_moment_after_it_was_led_to_a_server() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        port = await one(cloud, f"/ports?device_id={server['id']}")
        public = await one(cloud, "/networks?name=public")
        wanted = {"floating_network_id": public["id"], "port_id": port["id"]}
        made = await cloud.demo.post(f"{NETWORK}/floatingips", json={"floatingip": wanted})
        assert made.status_code == 201, made.text
        address = made.json()["floatingip"]["floating_ip_address"]
        await anyio.sleep(2 * BURST_S)
        [router] = fabric_of(cloud).state().routers.values()
        assert router.floating == {address: port["fixed_ips"][0]["ip_address"]}
        assert [a["addr"] for a in (await cloud.server(server["id"]))["addresses"]["private"]] == [
            port["fixed_ips"][0]["ip_address"],
            address,
        ]
        path = f"{NETWORK}/floatingips/{made.json()['floatingip']['id']}"
        assert (await cloud.demo.delete(path)).status_code == 204
        await anyio.sleep(2 * BURST_S)
        [router] = fabric_of(cloud).state().routers.values()
        assert router.floating == {}


async def test_a_second_look_changes_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server()
        await cloud.cloud.reconcilers.once()
        before = fabric_of(cloud).state()
        await cloud.cloud.reconcilers.once()
        assert cloud.cloud.reconcilers.last["network_changes"].mended == []
        assert fabric_of(cloud).state() == before
