"""Addresses: the free ranges stay what the pools are without what is taken, whatever is taken and given back."""

import ipaddress
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.core.network import addressing, ipam
from minicloud.core.network.addressing import FixedIp
from minicloud.core.network.ipam import Pool
from minicloud.core.network.rows import Network, Port
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from tests.support.networks import a_network, a_port, a_subnet

pytestmark = pytest.mark.anyio


def free(tx: Transaction, subnet_id: str) -> list[tuple[int, int]]:
    rows = tx.all("SELECT first, last FROM ip_ranges WHERE subnet_id = ? ORDER BY first", [subnet_id])
    return [(int(first, 16), int(last, 16)) for first, last in rows]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["next", "take", "back"]), st.integers(0, 31)), max_size=60),
    st.sampled_from(["10.0.0.0/27", "fd00::/123"]),
)
async def test_free_ranges_are_the_pools_without_what_is_taken(moves: list[tuple[str, int]], cidr: str) -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> None:
        network = a_network(tx)
        subnet = a_subnet(tx, network, cidr)
        holder = a_port(tx, network, fixed_ips=[]).port.id
        net = ipaddress.ip_network(cidr)
        pooled = {
            number
            for pool in subnet.allocation_pools
            for number in range(int(ipaddress.ip_address(pool.start)), int(ipaddress.ip_address(pool.end)) + 1)
        }
        taken: set[int] = set()
        for verb, offset in moves:
            number = int(net[0]) + offset
            address = str(net[offset])
            if verb == "next":
                found = ipam.next_free(tx, subnet.id)
                left = sorted(pooled - taken)
                assert (None if found is None else int(ipaddress.ip_address(found))) == (left[0] if left else None)
                if found is None:
                    continue
                number, address = left[0], found
            elif verb == "take":
                if number in taken:
                    with pytest.raises(Conflict):
                        ipam.take(tx, subnet.id, address)
                    continue
                ipam.take(tx, subnet.id, address)
            else:
                if number in taken:
                    addressing.release(tx, [FixedIp(subnet.id, address)])
                    taken.discard(number)
                continue
            addressing.write(tx, holder, network.id, [FixedIp(subnet.id, address)])
            taken.add(number)
        ranges = free(tx, subnet.id)
        assert {n for first, last in ranges for n in range(first, last + 1)} == pooled - taken
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(ranges)), "neighbours are joined"
        ipam.fill(tx, subnet.id, subnet.allocation_pools)
        assert free(tx, subnet.id) == ranges

    await database.write(story)
    await database.close()


async def test_taking_an_address_costs_the_same_when_many_are_taken() -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> tuple[list[Any], list[Any]]:
        subnet = a_subnet(tx, a_network(tx), "10.0.0.0/16")
        plans = tx.all(
            "EXPLAIN QUERY PLAN SELECT first, last FROM ip_ranges WHERE subnet_id = ? ORDER BY first LIMIT 1",
            [subnet.id],
        )
        for _ in range(3000):
            ipam.next_free(tx, subnet.id)
        return plans, free(tx, subnet.id)

    plans, ranges = await database.write(story)
    assert "SEARCH" in plans[0][3]
    assert "SCAN" not in plans[0][3]
    assert len(ranges) == 1
    await database.close()


async def test_an_exhausted_subnet_says_so_and_serves_again_what_is_given_back() -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> None:
        network = a_network(tx)
        a_subnet(tx, network, "10.0.0.0/29")
        made = [a_port(tx, network) for _ in range(5)]
        assert [p.fixed_ips[0].ip_address for p in made] == [f"10.0.0.{n}" for n in range(2, 7)]
        with pytest.raises(Conflict) as refused:
            a_port(tx, network)
        assert refused.value.kind == "IpAddressGenerationFailure"
        assert refused.value.message == f"No more IP addresses available on network {network.id}."

    await database.write(story)

    def again(tx: Transaction) -> None:
        [third] = records.select(tx, Port, "id = (SELECT port_id FROM ip_allocations WHERE address = '10.0.0.4')")
        from minicloud.core.network import networks, ports

        ports.remove(tx, third)
        network = records.get(tx, networks.Network, third.network_id)
        assert a_port(tx, network).fixed_ips[0].ip_address == "10.0.0.4"

    await database.write(again)
    await database.close()


async def test_a_second_subnet_serves_when_the_first_is_full() -> None:
    database = InlineDatabase()

    def first(tx: Transaction) -> Network:
        network = a_network(tx)
        a_subnet(tx, network, "10.0.0.0/30", allocation_pools=[Pool("10.0.0.2", "10.0.0.2")])
        return network

    # The older subnet serves first, so the second one is made at a later moment.
    network = await database.write(first)

    def second(tx: Transaction) -> list[str]:
        a_subnet(tx, network, "10.0.1.0/24")
        return [a_port(tx, network).fixed_ips[0].ip_address for _ in range(2)]

    assert await database.write(second) == ["10.0.0.2", "10.0.1.2"]
    await database.close()


async def test_a_card_makes_its_own_address_in_a_slaac_subnet() -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> None:
        network = a_network(tx)
        early = a_port(tx, network, mac_address="fa:16:3e:00:00:01")
        assert early.fixed_ips == []
        subnet = a_subnet(tx, network, "fd00:1::/64", enable_dhcp=True, ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
        held = addressing.held_by(tx, [early.port.id])[early.port.id]
        assert held == [FixedIp(subnet.id, "fd00:1::f816:3eff:fe00:1")]
        late = a_port(tx, network, mac_address="fa:16:3e:00:00:02", fixed_ips=[])
        assert late.fixed_ips == [FixedIp(subnet.id, "fd00:1::f816:3eff:fe00:2")]

    await database.write(story)
    await database.close()
