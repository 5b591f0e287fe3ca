"""Names of devices and namespaces, and when the machine keeps out of an external network."""

import pytest

from minicloud.base.errors import Invalid
from minicloud.drivers.fabric import Network, Subnet
from minicloud.drivers.fabric.linux import LinuxFabric, names, networks
from minicloud.drivers.fabric.linux.guard import link_local
from minicloud.drivers.fabric.linux.room import Link

ID = "0c5bd6a7-1f0e-4a2c-9f57-0d6f0f3c4b1e"


def test_devices_fit_the_kernel_and_look_as_neutrons() -> None:
    assert names.device("tap", ID) == "tap0c5bd6a7-1f"
    for first in ("tap", "qr-", "qg-", "rp-", "p_"):
        for of in (ID, "any-id-at-all-that-is-no-uuid", "x"):
            assert len(names.device(first, of)) <= 15
    assert names.device("tap", "port-1") != names.device("tap", "port-2")
    assert len(names.host_side("cloud", ID)) <= 15
    assert names.host_side("one", ID) != names.host_side("two", ID)


def test_namespaces_are_told_apart_by_cloud() -> None:
    name = names.network_namespace("a", ID)
    assert names.parse_namespace("a", name) == ("n", ID)
    assert names.parse_namespace("a", names.router_namespace("a", ID)) == ("r", ID)
    assert names.parse_namespace("ab", name) is None
    assert names.parse_namespace("a", "mc-a-x-1") is None
    assert names.parse_namespace("a", "qrouter-1") is None


@pytest.mark.parametrize("cloud_id", ["", "A", "a-b", "a" * 17, "../x"])
def test_cloud_ids_are_plain(cloud_id: str, tmp_path: object) -> None:
    with pytest.raises(Invalid):
        LinuxFabric(cloud_id, tmp_path)  # type: ignore[arg-type]


def test_a_bridge_keeps_its_local_unicast_mac() -> None:
    mac = names.bridge_mac(ID)
    assert mac == names.bridge_mac(ID)
    assert int(mac[:2], 16) & 3 == 2


def test_link_local_addresses_are_made_from_the_card() -> None:
    assert link_local("fa:16:3e:00:00:01") == "fe80::f816:3eff:fe00:1"


def _link(name: str, *addresses: str) -> Link:
    return Link(name=name, mac="", mtu=1500, up=True, master="", alias="", addresses=frozenset(addresses))


@pytest.mark.parametrize(
    ("links", "routes", "why"),
    [
        ([_link("eth0", "192.0.2.2/24")], ["default", "192.0.2.0/24"], None),
        ([_link("eth0", "203.0.113.7/24")], [], "eth0 has 203.0.113.7/24"),
        ([_link("vpn", "203.0.0.1/16")], [], "vpn has 203.0.0.1/16"),
        ([], ["203.0.113.128/25"], "there is a route to 203.0.113.128/25"),
        ([], ["203.0.113.9"], "there is a route to 203.0.113.9"),
        ([_link("own", "203.0.113.1/24")], ["203.0.113.0/24"], None),
    ],
)
def test_the_machine_keeps_out_of_ranges_that_it_uses(links: list[Link], routes: list[str], why: str | None) -> None:
    assert networks.collision("203.0.113.1/24", "own", {link.name: link for link in links}, routes) == why


def test_a_leg_needs_a_gateway_to_be() -> None:
    six = Subnet(id="6", cidr="fd00::/64", gateway="fd00::1")
    four = Subnet(id="4", cidr="203.0.113.0/26", gateway="203.0.113.1")
    assert networks.host_leg("c", Network(id="n", subnets=[four])) is None
    assert networks.host_leg("c", Network(id="n", external=True, subnets=[six])) is None
    leg = networks.host_leg("c", Network(id="n", external=True, subnets=[six, four]))
    assert leg == (names.host_side("c", "n"), "203.0.113.1/26")
