"""Cards: what the network service took from a server is taken from its guest, whatever happens in between."""

from contextlib import AsyncExitStack

import anyio
import pytest

from minicloud.base.errors import ErrorFacts
from minicloud.core import records
from minicloud.core.network.rows import Port
from minicloud.drivers.fabric.fake import FakeFabric
from minicloud.drivers.faults import Fault
from tests.support.clouds import TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
COMPUTE, NETWORK = "/compute/v2.1", "/network/v2.0"
EVENTS = f"{COMPUTE}/os-server-external-events"


async def plugged(cloud: TestedCloud, server_id: str) -> list[str]:
    """The cards that the guest has."""
    machine = await cloud.hypervisor().machine(server_id)
    assert machine is not None
    return machine.nics


def wired(cloud: TestedCloud) -> set[str]:
    """The ports that the host's fabric has."""
    fabric = cloud.cloud.agents["host-1"].fabric
    assert isinstance(fabric, FakeFabric)
    return set(fabric.state().ports)


async def seen(cloud: TestedCloud, server_id: str) -> tuple[list[str], int]:
    """What the API tells of a server's cards: the ports of its interfaces, and how many networks it has addresses on."""
    listed = (await cloud.demo.get(f"{COMPUTE}/servers/{server_id}/os-interface")).json()["interfaceAttachments"]
    return [one["port_id"] for one in listed], len((await cloud.server(server_id))["addresses"])


async def two_cards(cloud: TestedCloud) -> tuple[str, str, str]:
    """A server, the port that it was built with, and one that was lent to it."""
    server = await cloud.a_server()
    [[first], _] = await seen(cloud, server["id"])
    network = (await cloud.demo.post(f"{NETWORK}/networks", json={"network": {"name": "more"}})).json()["network"]
    subnet = {"network_id": network["id"], "ip_version": 4, "cidr": "10.70.0.0/24"}
    assert (await cloud.demo.post(f"{NETWORK}/subnets", json={"subnet": subnet})).status_code == 201
    made = await cloud.demo.post(f"{NETWORK}/ports", json={"port": {"network_id": network["id"]}})
    second = made.json()["port"]["id"]
    wanted = {"interfaceAttachment": {"port_id": second}}
    assert (await cloud.demo.post(f"{COMPUTE}/servers/{server['id']}/os-interface", json=wanted)).status_code == 200
    await cloud.settled()
    assert await plugged(cloud, server["id"]) == [first, second]
    assert await seen(cloud, server["id"]) == ([first, second], 2)
    return server["id"], first, second


async def test_a_deleted_port_is_taken_out_of_the_running_guest_at_once() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id, first, second = await two_cards(cloud)
        assert (await cloud.admin.delete(f"{NETWORK}/ports/{second}")).status_code == 204
        assert await seen(cloud, server_id) == ([first], 1)
        await anyio.sleep(1)
        assert await plugged(cloud, server_id) == [first]
        assert wired(cloud) == {first}
        assert (await cloud.reconciled())["cards"] == []


async def test_what_nobody_was_there_to_hear_is_done_in_the_next_round() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id, first, second = await two_cards(cloud)

        # As a kill right after the commit leaves it: the row is gone, and nobody was poked.
        await cloud.write(lambda tx: records.remove(tx, records.get(tx, Port, second)))
        [told] = (await cloud.reconciled())["cards"]
        assert told == f"card {second} of server {server_id} has no port of it any more"
        assert await plugged(cloud, server_id) == [first]
        assert wired(cloud) == {first}
        assert (await cloud.reconciled())["cards"] == []


async def test_a_machine_that_is_off_is_started_without_the_card() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id, first, second = await two_cards(cloud)
        assert (await cloud.act(server_id, {"os-stop": None})).status_code == 202
        await cloud.settled()
        assert (await cloud.admin.delete(f"{NETWORK}/ports/{second}")).status_code == 204
        await anyio.sleep(1)
        assert await plugged(cloud, server_id) == [first]
        assert (await cloud.act(server_id, {"os-start": None})).status_code == 202
        await cloud.settled()
        assert await plugged(cloud, server_id) == [first]


async def test_a_guest_that_clings_to_a_card_has_it_without_a_wire_and_is_asked_again() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id, first, second = await two_cards(cloud)
        clings = ErrorFacts("timed_out", "the guest did not let go")
        cloud.cloud.fake.faults.add(Fault(verb="ensure_nic_detached", count=1, error=clings))
        assert (await cloud.admin.delete(f"{NETWORK}/ports/{second}")).status_code == 204
        await anyio.sleep(1)
        assert await plugged(cloud, server_id) == [first, second]
        assert wired(cloud) == {first}
        assert len((await cloud.reconciled())["cards"]) == 1
        assert await plugged(cloud, server_id) == [first]


async def test_an_admin_tells_of_a_deleted_port_and_it_is_free_though_it_is_there() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id, first, second = await two_cards(cloud)
        event = {"name": "network-vif-deleted", "server_uuid": server_id, "tag": second}
        answer = await cloud.admin.post(EVENTS, json={"events": [event]})
        assert (answer.status_code, answer.json()["events"][0]["code"]) == (200, 200)
        await anyio.sleep(1)
        assert await plugged(cloud, server_id) == [first]
        assert await seen(cloud, server_id) == ([first], 1)
        port = (await cloud.demo.get(f"{NETWORK}/ports/{second}")).json()["port"]
        assert (port["device_id"], port["device_owner"], port["status"]) == ("", "", "DOWN")
        assert wired(cloud) == {first}


async def test_events_of_other_ports_and_of_none_change_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server_id, first, second = await two_cards(cloud)
        other = await cloud.a_server(name="other", networks="none")
        for tag in ({}, {"tag": "nothing"}, {"tag": second}):
            whose = other["id"] if tag.get("tag") == second else server_id
            event = {"name": "network-vif-deleted", "server_uuid": whose, **tag}
            assert (await cloud.admin.post(EVENTS, json={"events": [event]})).status_code == 200
        await anyio.sleep(1)
        assert await plugged(cloud, server_id) == [first, second]
        assert await seen(cloud, server_id) == ([first, second], 2)
