"""dnsmasq's words, and which leases survive a change of hands."""

from pathlib import Path

import msgspec

from minicloud.drivers.fabric import Lease, Network, Subnet
from minicloud.drivers.fabric.linux.dhcp import configuration, hosts, options, served, without_strangers
from tests.support.fabrics import a_network

S1 = Subnet(id="s1", cidr="10.0.0.0/24", gateway="10.0.0.1", dhcp_address="10.0.0.2")
S2 = Subnet(id="s2", cidr="10.0.7.0/24", dhcp_address="10.0.7.2")


def test_only_subnets_with_an_address_to_serve_from_are_served() -> None:
    off = Subnet(id="off", cidr="10.1.0.0/24", dhcp=False, dhcp_address="10.1.0.2")
    bare = Subnet(id="bare", cidr="10.2.0.0/24")
    six = Subnet(id="six", cidr="fd00::/64", dhcp_address="fd00::2")
    assert served(Network(id="n", subnets=[S1, off, bare, six, S2])) == [S1, S2]


def test_each_subnet_says_its_own_routes() -> None:
    lines = configuration(Network(id="n", mtu=1442, subnets=[S1, S2]), Path("/d")).splitlines()
    assert "dhcp-range=set:s0,10.0.0.0,static,255.255.255.0,1h" in lines
    assert "dhcp-option=tag:s0,option:router,10.0.0.1" in lines
    assert "dhcp-option=tag:s0,option:classless-static-route,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1" in lines
    assert "dhcp-option=tag:s1,option:router" in lines
    assert "dhcp-option=tag:s1,option:classless-static-route,169.254.169.254/32,10.0.7.2" in lines
    assert "dhcp-option-force=option:mtu,1442" in lines
    assert "dhcp-hostsfile=/d/hosts" in lines


def test_host_routes_of_the_subnet_win() -> None:
    routes = [("0.0.0.0/0", "10.0.0.9"), ("169.254.169.254/32", "10.0.0.8"), ("fd01::/64", "fd00::1")]
    subnet = Subnet(id="s", cidr="10.0.0.0/24", gateway="10.0.0.1", dhcp_address="10.0.0.2", host_routes=routes)
    lines = configuration(Network(id="n", subnets=[subnet]), Path("/d")).splitlines()
    assert "dhcp-option=tag:s0,option:classless-static-route,0.0.0.0/0,10.0.0.9,169.254.169.254/32,10.0.0.8" in lines


def test_a_card_is_named_once_per_subnet() -> None:
    leases = [
        Lease(mac="FA:16:3E:00:00:01", address="10.0.0.10", hostname="a"),
        Lease(mac="fa:16:3e:00:00:01", address="10.0.0.11", hostname="b"),
        Lease(mac="fa:16:3e:00:00:01", address="10.0.7.10", hostname=""),
        Lease(mac="fa:16:3e:00:00:02", address="fd00::2", hostname="c"),
        Lease(mac="fa:16:3e:00:00:03", address="172.16.0.1", hostname="nowhere"),
    ]
    assert hosts(Network(id="n", subnets=[S1, S2], leases=leases)) == (
        "fa:16:3e:00:00:01,10.0.0.10,a\nfa:16:3e:00:00:01,10.0.7.10\n"
    )


def test_leases_of_former_owners_are_dropped() -> None:
    text = (
        "1700000000 fa:16:3e:00:00:01 10.0.0.10 a *\n"
        "1700000000 fa:16:3e:00:00:02 10.0.0.11 b 01:fa:16:3e:00:00:02\n"
        "1700000000 fa:16:3e:00:00:03 10.0.0.12 c *\n"
    )
    wished = [
        Lease(mac="fa:16:3e:00:00:09", address="10.0.0.10", hostname="x"),
        Lease(mac="FA:16:3E:00:00:02", address="10.0.0.11", hostname="b"),
    ]
    assert without_strangers(text, wished) == "".join(text.splitlines(keepends=True)[1:])
    assert without_strangers("", wished) == ""


def test_cards_are_told_their_own_options_under_a_tag_of_theirs() -> None:
    network = a_network(1, leases={11: "10.0.0.11", 12: "10.0.0.12"})
    wished = [("bootfile-name", "pxelinux.0"), ("150", "10.0.0.9"), ("no name", "x"), ("tftp", "two\nlines")]
    lease = msgspec.structs.replace(network.leases[0], options=wished)
    network = msgspec.structs.replace(network, leases=[lease, network.leases[1]])
    assert options(network) == "tag:c4-fa163e00000b,150,10.0.0.9\ntag:c4-fa163e00000b,option:bootfile-name,pxelinux.0\n"
    assert hosts(network).splitlines()[0] == "fa:16:3e:00:00:0b,set:c4-fa163e00000b,10.0.0.11,host-10-0-0-11"


def test_leases_of_ipv6_belong_to_whoever_ends_in_the_mac() -> None:
    wished = [Lease(mac="fa:16:3e:00:00:0b", address="fd00::11", hostname="x")]
    mine, other = (f"900 1 fd00::11 x 00:03:00:01:fa:16:3e:00:00:{end}\n" for end in ("0b", "0c"))
    nameless = "900 1 fd00::11 x 00:04:11:22:33\n"
    assert without_strangers(f"duid 00:01\n{mine}{other}{nameless}", wished) == f"duid 00:01\n{mine}{nameless}"
