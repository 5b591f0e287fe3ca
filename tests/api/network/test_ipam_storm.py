"""Addresses when many ask at once: all are different, and when there are no more, everybody is told so."""

import anyio
import pytest

from tests.support.network import a_network_service, a_subnet, ann, error, made, root

pytestmark = pytest.mark.anyio


async def test_two_hundred_ports_at_once_have_two_hundred_addresses() -> None:
    async with a_network_service() as door, ann(door) as http, root(door) as admin:
        network = await made(http, "network")
        await a_subnet(http, network["id"], "10.0.0.0/24")
        await admin.put("/quotas/red", json={"quota": {"port": -1}})
        addresses: list[str] = []
        macs: set[str] = set()

        async def one() -> None:
            port = await made(http, "port", network_id=network["id"])
            addresses.extend(fixed["ip_address"] for fixed in port["fixed_ips"])
            macs.add(port["mac_address"])

        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(one)
        assert len(addresses) == len(set(addresses)) == len(macs) == 200


async def test_when_there_are_no_more_everybody_is_told_so() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        await a_subnet(http, network["id"], "10.0.0.0/28", enable_dhcp=False)
        outcomes: list[tuple[int, str]] = []

        async def one() -> None:
            answer = await http.post("/ports", json={"port": {"network_id": network["id"]}})
            outcomes.append((answer.status_code, "" if answer.status_code == 201 else "; ".join(error(answer)[1:])))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
        full = f"IpAddressGenerationFailure; No more IP addresses available on network {network['id']}."
        assert sorted(outcomes) == [(201, "")] * 13 + [(409, full)] * 7


async def test_an_address_that_is_asked_for_is_not_given_to_the_same_port_by_chance() -> None:
    async with a_network_service() as door, ann(door) as http:
        network = await made(http, "network")
        subnet = await a_subnet(http, network["id"], "10.0.0.0/24", enable_dhcp=False)
        wishes = [{"subnet_id": subnet["id"]}, {"subnet_id": subnet["id"], "ip_address": "10.0.0.2"}]
        port = await made(http, "port", network_id=network["id"], fixed_ips=wishes)
        assert {fixed["ip_address"] for fixed in port["fixed_ips"]} == {"10.0.0.2", "10.0.0.3"}
