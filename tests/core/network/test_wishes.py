"""Wishes: what hosts shall hold follows from the records, field by field."""

import pytest

from minicloud.core.network import ports, router_interfaces, routers, wishes
from minicloud.core.network.wished import AdvertWish, LeaseWish
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
        assert wishes.router_wish(tx, router.id).interfaces == []
        router_interfaces.add(tx, ADMIN, router, subnet_id=subnet.id)
        [end] = wishes.router_wish(tx, router.id).interfaces
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


async def test_a_gateway_has_a_next_hop_of_each_ip_version() -> None:
    def story(tx: Transaction) -> None:
        outside = a_network(tx, external=True)
        a_subnet(tx, outside, "203.0.113.0/24")
        a_subnet(tx, outside, "fd00:ff::/64")
        router = routers.create(
            tx, ADMIN, project_id=PROJECT, gateway=routers.GatewayWish(network_id=outside.id, snat=None)
        )
        assert wishes.router_wish(tx, router.id).next_hops == ["203.0.113.1", "fd00:ff::"]

    await InlineDatabase().write(story)
