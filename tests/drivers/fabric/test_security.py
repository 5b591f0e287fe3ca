"""Security groups on real taps: what passes, what does not, and what a change does to connections that stand; root and rootless."""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from minicloud.drivers.fabric import Group, Network, Rule
from minicloud.drivers.fabric.linux import LinuxFabric
from tests.support.fabrics import Lab, a_cloud_id, a_lab, a_network, a_port, a_router, blocking, tell_caller
from tests.support.tapguests import TapGuest

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.linux,
    pytest.mark.skipif(os.geteuid() != 0, reason="the stand-in guests of these tests need root"),
]

OUT = [Rule(ingress=False, version=4), Rule(ingress=False, version=6)]
WEB = Rule(ingress=True, version=4, protocol=6, first=80, last=80)
ONE, TWO = "10.0.0.11", "10.0.0.12"
LEASES = {11: ONE, 12: TWO, 13: "10.0.0.13"}


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio"


@pytest.fixture(params=["root", "rootless"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path, rootless=request.param == "rootless") as lab:
        yield lab


def the_network(*rules: Rule, members: dict[str, list[str]] | None = None, **more: Any) -> Network:
    """A network with the groups ``open`` (everything out) and ``filtered`` (that, and these rules)."""
    groups = [Group(id="open", rules=OUT), Group(id="filtered", rules=[*OUT, *rules], **more)]
    return a_network(1, leases=LEASES, groups=groups, members=members or {})


async def two_guests(lab: Lab, network: Network, *, more: dict[str, Any] | None = None) -> tuple[TapGuest, TapGuest]:
    """One in the group ``open``, one that serves ports 80 and 81 in the group ``filtered``."""
    await lab.fabric.ensure_network(network)
    one = await lab.guest(a_port(11, network, ONE, groups=["open"]))
    two = await lab.guest(a_port(12, network, TWO, groups=["filtered"], **(more or {})))
    for port in (80, 81):
        await blocking(two.serve, port, b"here")
    return one, two


async def test_only_what_a_rule_names_gets_in(lab: Lab) -> None:
    one, two = await two_guests(lab, the_network(WEB))
    await blocking(one.serve, 80, b"open")
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    assert await blocking(one.hear, TWO, 81, 1.0) is None
    assert await blocking(two.hear, ONE, 80, 1.0) is None, "a group that lets everything out lets nothing in"
    assert (await blocking(two.http, "/"))[0] == 200


async def test_a_rule_added_and_revoked_takes_effect_on_standing_connections(lab: Lab) -> None:
    one, two = await two_guests(lab, the_network())
    assert await blocking(one.hear, TWO, 80, 1.0) is None
    listener = await blocking(two.inside, lambda: socket.create_server(("0.0.0.0", 90)))
    await lab.fabric.ensure_network(the_network(WEB, Rule(ingress=True, version=4, protocol=6, first=90)))
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    with listener, await blocking(one.inside, lambda: socket.create_connection((TWO, 90), 20)) as there:
        here, _ = await blocking(listener.accept)
        with here:
            here.settimeout(2)
            await blocking(there.sendall, b"one")
            assert await blocking(here.recv, 10) == b"one"
            await lab.fabric.ensure_network(the_network(WEB, Rule(ingress=True, version=4, protocol=1)))
            await blocking(there.sendall, b"two")
            with pytest.raises(TimeoutError):
                await blocking(here.recv, 10)
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    assert await blocking(one.hear, TWO, 90, 1.0) is None


async def test_remote_groups_follow_their_members(lab: Lab) -> None:
    rule = msgspec.structs.replace(WEB, members_of="friends")
    one, _ = await two_guests(lab, the_network(rule, members={"friends": []}))
    assert await blocking(one.hear, TWO, 80, 1.0) is None
    await lab.fabric.ensure_network(the_network(rule, members={"friends": [ONE, "10.0.0.0/30", "10.0.0.1", "fd00::1"]}))
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    script = [note["lines"] for note in lab.recording.facts("script") if note["program"] == "nft"][-1]
    assert [line for line in script if "inet sg" in line] == [
        f"add element inet sg {_set_of(script, 'm4_')} {{ 10.0.0.0/30, 10.0.0.11/32 }}",
        f"add element inet sg {_set_of(script, 'm6_')} {{ fd00::1/128 }}",
    ]
    await lab.fabric.ensure_network(the_network(rule, members={"friends": ["10.0.0.0/30"]}))
    assert await blocking(one.hear, TWO, 80, 1.0) is None


def _set_of(script: list[str], start: str) -> str:
    return next(word for line in script for word in line.split() if word.startswith(start))


async def test_groups_of_a_port_add_up_and_none_lets_nothing_pass(lab: Lab) -> None:
    network = the_network(WEB)
    one, two = await two_guests(lab, network)
    await lab.fabric.ensure_port(a_port(12, network, TWO, groups=["open"]))
    assert await blocking(one.hear, TWO, 80, 1.0) is None
    await lab.fabric.ensure_port(a_port(12, network, TWO, groups=["filtered", "open"]))
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    await lab.fabric.ensure_port(a_port(12, network, TWO, groups=[]))
    await blocking(one.serve, 82, b"one")
    await lab.fabric.ensure_port(a_port(11, network, ONE))
    assert await blocking(one.hear, TWO, 80, 1.0) is None
    assert await blocking(two.hear, ONE, 82, 1.0) is None
    await lab.fabric.ensure_port(a_port(12, network, TWO, groups=[], port_security=False))
    assert await blocking(two.hear, ONE, 82) == b"10.0.0.12 one"


async def test_a_group_may_name_who_may_be_called(lab: Lab) -> None:
    only = Group(
        id="open", rules=[Rule(ingress=False, version=4, protocol=6, first=80, last=80, remote="10.0.0.12/32")]
    )
    network = the_network(Rule(ingress=True, version=4))
    network = msgspec.structs.replace(network, groups=[only, network.groups[1]])
    one, _ = await two_guests(lab, network)
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    assert await blocking(one.hear, TWO, 81, 1.0) is None


async def test_answers_pass_a_stateful_group_only(lab: Lab) -> None:
    network = the_network(WEB)
    one, _ = await two_guests(lab, network)
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
    groups = [msgspec.structs.replace(network.groups[0], stateful=False), network.groups[1]]
    await lab.fabric.ensure_network(msgspec.structs.replace(network, groups=groups))
    assert await blocking(one.hear, TWO, 80, 1.0) is None
    groups[0] = msgspec.structs.replace(groups[0], rules=[*OUT, Rule(ingress=True, version=4, protocol=6)])
    await lab.fabric.ensure_network(msgspec.structs.replace(network, groups=groups))
    assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"


async def test_broadcasts_are_judged_for_each_receiver(lab: Lab) -> None:
    network = the_network(Rule(ingress=True, version=4, protocol=17, first=5001, last=5001))
    one, two = await two_guests(lab, network)
    three = await lab.guest(a_port(13, network, "10.0.0.13", groups=["open"]))

    def ear(port: int) -> socket.socket:
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line.bind(("0.0.0.0", port))
        line.settimeout(2)
        return line

    def shout() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for port in (5000, 5001):
                out.sendto(str(port).encode(), ("10.0.0.255", port))

    lines = [
        await blocking(guest.inside, lambda p=port: ear(p)) for guest, port in ((two, 5000), (two, 5001), (three, 5001))
    ]
    await blocking(one.inside, shout)
    assert await blocking(lines[1].recv, 10) == b"5001"
    for deaf in (lines[0], lines[2]):
        with pytest.raises(TimeoutError):
            await blocking(deaf.recv, 10)
    for line in lines:
        line.close()


async def test_ports_that_share_an_address_are_filtered_apart(lab: Lab) -> None:
    network = the_network(WEB)
    pairs = {"allowed_pairs": [("10.0.0.100", a_port(12, network).mac)]}
    one, two = await two_guests(lab, network, more=pairs)
    third = a_port(13, network, "10.0.0.13", groups=["open"])
    third = msgspec.structs.replace(third, allowed_pairs=[("10.0.0.100", third.mac)])
    three = await lab.guest(third)
    await blocking(three.serve, 80, b"there")
    await blocking(two.ip, "address add 10.0.0.100/24 dev eth0")
    assert await blocking(one.hear, "10.0.0.100", 80) == b"10.0.0.11 here"
    await blocking(two.ip, "address delete 10.0.0.100/24 dev eth0")
    await blocking(three.ip, "address add 10.0.0.100/24 dev eth0")
    await blocking(one.ip, "neighbour flush dev eth0")
    assert await blocking(one.hear, "10.0.0.100", 80, 1.5) is None


async def test_ipv6_is_filtered_as_well(lab: Lab) -> None:
    six = msgspec.structs.replace(WEB, version=6, remote="fd00::/64")
    network = the_network(six)
    await lab.fabric.ensure_network(network)
    guests = []
    for number, address in ((11, "fd00::11"), (12, "fd00::12")):
        port = a_port(number, network, LEASES[number], address, groups=["open" if number == 11 else "filtered"])
        guest = await lab.guest(port)
        await blocking(guest.ip, f"address add {address}/64 dev eth0 nodad")
        guests.append(guest)

    def serve(port: int) -> socket.socket:
        return socket.create_server(("::", port), family=socket.AF_INET6)

    servers = [await blocking(guests[1].inside, lambda p=port: serve(p)) for port in (80, 81)]
    line = await blocking(guests[0].inside, lambda: socket.create_connection(("fd00::12", 80), 20))
    line.close()
    with pytest.raises(TimeoutError):
        await blocking(guests[0].inside, lambda: socket.create_connection(("fd00::12", 81), 1))
    for server in servers:
        server.close()


async def test_what_comes_by_a_router_is_filtered(lab: Lab) -> None:
    inner, outer = the_network(WEB), a_network(2, "10.0.2", leases={21: "10.0.2.21"})
    for network in (inner, outer):
        await lab.fabric.ensure_network(network)
    await lab.fabric.ensure_router(a_router(3, {31: (inner, "10.0.0.1/24"), 32: (outer, "10.0.2.1/24")}))
    server = await lab.guest(a_port(12, inner, TWO, groups=["filtered"]))
    client = await lab.guest(a_port(21, outer, "10.0.2.21"))
    for port in (80, 81):
        await blocking(server.serve, port, b"here")
    assert await blocking(client.hear, TWO, 80) == b"10.0.2.21 here"
    assert await blocking(client.hear, TWO, 81, 1.0) is None


async def test_a_wish_repeated_mends_and_the_next_process_goes_on(tmp_path: Path) -> None:
    async with a_lab(tmp_path) as lab:
        network = the_network(WEB)
        one, _ = await two_guests(lab, network)
        await lab.fabric._room.nft(lab.namespace(network), "delete table inet sg\n")
        assert await blocking(one.hear, TWO, 81) == b"10.0.0.11 here"
        await lab.fabric.ensure_network(network)
        assert await blocking(one.hear, TWO, 81, 1.0) is None
        assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
        await lab.fabric._room.nft(lab.namespace(network), "delete table inet sg\n")
        await lab.fabric.ensure_network(the_network(WEB, Rule(ingress=True, version=4, protocol=6, first=443)))
        assert await blocking(one.hear, TWO, 81, 1.0) is None, "what could not be changed was not loaded anew"

        second = LinuxFabric(a_cloud_id(), tmp_path)
        await second.open(tell_caller)
        try:
            await second.ensure_port(a_port(13, network, "10.0.0.13", groups=["open"]))
            assert await blocking(one.hear, TWO, 81, 1.0) is None
            assert await blocking(one.hear, TWO, 80) == b"10.0.0.11 here"
            await second.ensure_no_port(a_port(13, network).id)
            rules = await second._room.run(lab.namespace(network), "nft", "list", "table", "inet", "sg")
            assert rules.count(b"counter packets") >= 4
            assert b"e_3" not in rules
        finally:
            await second.close()
