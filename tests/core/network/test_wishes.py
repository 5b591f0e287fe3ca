"""Wishes: what hosts shall hold follows from the records, field by field."""

import pytest

from minicloud.core import records
from minicloud.core.network import (
    floatingips,
    networks,
    ports,
    qos_policies,
    qos_rules,
    router_interfaces,
    router_wishes,
    routers,
    wishes,
)
from minicloud.core.network.rows import QosPolicy
from minicloud.core.network.wished import AdvertWish, LeaseWish, LimitWish, QualityWish
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from tests.support.networks import ADMIN, PROJECT, a_network, a_port, a_subnet

pytestmark = pytest.mark.anyio


async def test_an_ipv6_subnet_is_advertised_by_its_router_as_its_mode_says() -> None:
    def story(tx: Transaction) -> None:
        network = a_network(tx)
        modes = {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful", "enable_dhcp": True}
        subnet = a_subnet(tx, network, "fd00:1::/64", dns_nameservers=["fd00::53"], **modes)
        card = a_port(tx, network, device_id="server", device_owner="compute:nova").port
        ports.bind(tx, card.id, "one")
        router = routers.create(tx, ADMIN, project_id=PROJECT)
        assert router_wishes.router_wish(tx, router.id).interfaces == []
        router_interfaces.add(tx, ADMIN, router, subnet_id=subnet.id)
        [end] = router_wishes.router_wish(tx, router.id).interfaces
        assert end.addresses == ["fd00:1::/64"]
        assert end.adverts == [AdvertWish(cidr="fd00:1::/64", mode="dhcpv6-stateful", dns_servers=["fd00::53"])]
        wish = wishes.network_wish(tx, network.id, "one")
        assert [(s.ipv6_mode, s.dhcp, s.dhcp_address is None) for s in wish.subnets] == [
            ("dhcpv6-stateful", True, False)
        ]
        [address] = wishes.port_wish(tx, card.id).addresses
        assert wish.leases == [
            LeaseWish(mac=card.mac_address, address=address, hostname=f"host-{address.replace(':', '-')}")
        ]

    await InlineDatabase().write(story)


async def test_a_port_is_held_to_its_own_policy_or_else_to_its_networks() -> None:
    def story(tx: Transaction) -> None:
        made = {}
        for name, kind, values in (
            ("slow", "bandwidth_limit", {"amount": 1000, "burst": 100, "direction": "ingress"}),
            ("marked", "dscp_marking", {"amount": 26}),
        ):
            made[name] = qos_policies.create(tx, ADMIN, project_id=PROJECT, name=name)
            qos_rules.create(tx, made[name], qos_rules.TYPES[kind], **values)
        network = a_network(tx, qos_policy_id=made["slow"].id)
        a_subnet(tx, network)
        plain, own = (
            a_port(tx, network, device_id="server", device_owner="compute:nova", **more).port
            for more in ({}, {"qos_policy_id": made["marked"].id})
        )
        slow = QualityWish(ingress=LimitWish(kbps=1000, burst_kb=100))
        assert wishes.port_wish(tx, plain.id).quality == slow
        assert wishes.port_wish(tx, own.id).quality == QualityWish(dscp=26)

    await InlineDatabase().write(story)


async def test_dhcp_calls_a_card_by_its_address_where_its_name_is_none_for_dhcp() -> None:
    def story(tx: Transaction) -> None:
        network = a_network(tx)
        a_subnet(tx, network, enable_dhcp=True)
        port = a_port(tx, network, device_id="server", device_owner="compute:nova").port
        port = ports.bind(tx, port.id, "one")
        [address] = wishes.port_wish(tx, port.id).addresses
        for name, told in (
            ("web.example.org", "web.example.org"),
            ("a_b", "a_b"),
            ("-x", f"host-{address}"),
            ("", f"host-{address}"),
        ):
            port = ports.change(tx, port, hostname=name).port
            [lease] = wishes.network_wish(tx, network.id, "one").leases
            assert lease.hostname == told.replace(address, address.replace(".", "-"))

    await InlineDatabase().write(story)


async def test_what_is_administratively_down_is_wished_so() -> None:
    def story(tx: Transaction) -> None:
        network = a_network(tx)
        a_subnet(tx, network, enable_dhcp=True)
        port = a_port(tx, network, device_id="server", device_owner="compute:nova").port
        assert wishes.port_wish(tx, port.id).up
        ports.change(tx, port, admin_state_up=False)
        assert not wishes.port_wish(tx, port.id).up
        assert [subnet.dhcp for subnet in wishes.network_wish(tx, network.id, None).subnets] == [True]
        networks.change(tx, network, admin_state_up=False)
        assert [subnet.dhcp for subnet in wishes.network_wish(tx, network.id, None).subnets] == [False]

    await InlineDatabase().write(story)


async def test_a_gateway_has_a_next_hop_of_each_ip_version() -> None:
    def story(tx: Transaction) -> None:
        outside = a_network(tx, external=True)
        a_subnet(tx, outside, "203.0.113.0/24")
        a_subnet(tx, outside, "fd00:ff::/64")
        router = routers.create(
            tx, ADMIN, project_id=PROJECT, gateway=routers.GatewayWish(network_id=outside.id, snat=None)
        )
        assert router_wishes.router_wish(tx, router.id).next_hops == ["203.0.113.1", "fd00:ff::"]

    await InlineDatabase().write(story)


async def test_addresses_at_a_gateway_are_held_to_their_own_policies_or_else_to_their_networks() -> None:
    def story(tx: Transaction) -> None:
        policies = {}
        for name, values in (
            ("slow", {"amount": 1000, "burst": 100, "direction": "ingress"}),
            ("slower", {"amount": 100}),
        ):
            policies[name] = qos_policies.create(tx, ADMIN, project_id=PROJECT, name=name).id
            qos_rules.create(
                tx,
                records.get(tx, QosPolicy, policies[name]),
                qos_rules.TYPES["bandwidth_limit"],
                **values,
            )
        marks = qos_policies.create(tx, ADMIN, project_id=PROJECT, name="marks")
        qos_rules.create(tx, marks, qos_rules.TYPES["dscp_marking"], amount=26)
        outside, inside = a_network(tx, external=True), a_network(tx)
        a_subnet(tx, outside, "203.0.113.0/24")
        subnet = a_subnet(tx, inside)
        wish = routers.GatewayWish(network_id=outside.id, qos_policy_id=policies["slower"])
        router = routers.create(tx, ADMIN, project_id=PROJECT, gateway=wish)
        router_interfaces.add(tx, ADMIN, router, subnet_id=subnet.id)
        made = {
            name: floatingips.create(
                tx,
                ADMIN,
                project_id=PROJECT,
                network_id=outside.id,
                qos_policy_id=policy_id,
                port_id=a_port(tx, inside).port.id,
            ).floating_ip_address
            for name, policy_id in (("own", policies["slow"]), ("plain", None), ("marked", marks.id))
        }
        slow = QualityWish(ingress=LimitWish(kbps=1000, burst_kb=100))
        slower = QualityWish(egress=LimitWish(kbps=100, burst_kb=0))
        wished = router_wishes.router_wish(tx, router.id)
        assert wished.gateway is not None
        own = wished.gateway.addresses[0].partition("/")[0]
        assert wished.limits == {own: slower, made["own"]: slow}
        networks.change(tx, outside, qos_policy_id=policies["slower"])
        assert router_wishes.router_wish(tx, router.id).limits == {
            own: slower,
            made["own"]: slow,
            made["plain"]: slower,
        }

    await InlineDatabase().write(story)


async def test_a_subnet_that_is_meant_for_some_has_dhcp_all_the_same() -> None:
    def story(tx: Transaction) -> None:
        network = a_network(tx)
        a_subnet(tx, network, enable_dhcp=True, service_types=["compute:nova"])
        port = a_port(tx, network, device_id="server", device_owner="compute:nova").port
        ports.bind(tx, port.id, "one")
        wish = wishes.network_wish(tx, network.id, "one")
        assert [(subnet.dhcp, subnet.dhcp_address) for subnet in wish.subnets] == [(True, "10.0.0.2")]
        assert [lease.mac for lease in wish.leases] == [port.mac_address]

    await InlineDatabase().write(story)
