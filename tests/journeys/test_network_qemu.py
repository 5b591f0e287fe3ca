"""Three real guests on two hosts and what their networks do for them, told in one story because guests take long to boot."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from minicloud.guest import GuestImage
from tests.support.guestshells import Shell
from tests.support.journeys import PATIENCE_S, Journey, a_journey, a_key, namespaces, processes, until
from tests.support.tapguests import serve

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.skipif(os.geteuid() != 0, reason="the machine reaches floating addresses by itself as root alone"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NAMES = ("east", "west", "island")
RANGE = f"198.18.{os.getpid() % 250}"
WORLD = f"mctw-{os.getpid()}"
ROUTER = f"{RANGE}.10"
UNASKED_S = 25.0
"""Less than the pause after which a router advertises itself without being asked."""


def test_guests_of_two_hosts_and_their_networks(tmp_path: Path, image: GuestImage, cache: Path) -> None:
    with a_journey(tmp_path / "cloud", cache=cache, driver="qemu", reconcile_interval=5) as cloud:
        cloud.up("--hosts", "2")
        if cloud.facts()["hosts"][0]["fabric"] == "user":
            pytest.skip("this machine allows no networks but QEMU's own (minicloud doctor)")
        key = a_key(cloud.home)
        with cloud.connect() as admin, ExitStack() as stack:
            made = built(admin, key)
            for name in NAMES:
                admin.compute.wait_for_server(admin.compute.find_server(name), interval=0.2, wait=int(PATIENCE_S))
            shells = {name: stack.enter_context(Shell(cloud, name, key)) for name in NAMES}
            # They wait for three guests that boot at once.
            assert [shells[name].run("hostname", patience_s=2 * PATIENCE_S)[1] for name in NAMES] == list(NAMES)
            assert {s.name: s.compute_host for s in admin.compute.servers()} == {
                "east": "host-1",
                "west": "host-2",
                "island": "host-1",
            }
            neighbours_and_strangers(cloud, admin, shells)
            ssh_is_blocked_allowed_and_revoked(admin, made)
            the_floating_address_moves(admin, key, made)
            the_way_out(cloud, shells, made)
            a_card_comes_and_goes_and_its_port_serves_the_next_one(admin, shells)
            what_is_broken_is_mended(cloud, admin, shells)
        # Killed with its guests at work; nothing is left of them, either, when it is purged.
        assert len(cloud.guests()) == len(NAMES)
        cloud.kill()


def built(admin: Connection, key: Path) -> dict[str, Any]:
    """Two networks of the same addresses, one with IPv6 and a way out; three servers."""
    net = admin.network
    admin.compute.create_keypair(name="k", public_key=key.with_suffix(".pub").read_text())
    outside = net.create_network(name="outside", is_router_external=True)
    net.create_subnet(network_id=outside.id, ip_version=4, cidr=f"{RANGE}.0/24", is_dhcp_enabled=False)
    networks = {name: net.create_network(name=name) for name in ("green", "blue")}
    subnets = [
        net.create_subnet(network_id=network.id, ip_version=4, cidr="10.60.0.0/24") for network in networks.values()
    ]
    modes = {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
    six = net.create_subnet(network_id=networks["green"].id, ip_version=6, cidr="fd60::/64", **modes)
    gateway = {"network_id": outside.id, "external_fixed_ips": [{"ip_address": ROUTER}]}
    router = net.create_router(name="way", external_gateway_info=gateway)
    for subnet in (subnets[0], six):
        net.add_interface_to_router(router, subnet_id=subnet.id)
    group = net.create_security_group(name="inner")
    for ethertype, protocol in (("IPv4", "icmp"), ("IPv6", "ipv6-icmp")):
        rule = {"direction": "ingress", "ethertype": ethertype, "protocol": protocol, "remote_group_id": group.id}
        net.create_security_group_rule(security_group_id=group.id, **rule)
    flavor = admin.compute.find_flavor("m1.nano").id
    minilinux = admin.image.find_image("minilinux").id
    for name, host, network, fixed_ip in (
        ("east", "host-1", "green", "10.60.0.11"),
        ("west", "host-2", "green", "10.60.0.12"),
        ("island", "host-1", "blue", "10.60.0.13"),
    ):
        subnet = subnets[list(networks).index(network)]
        fixed = [{"subnet_id": subnet.id, "ip_address": fixed_ip}]
        if network == "green":
            fixed.append({"subnet_id": six.id})
        port = net.create_port(network_id=networks[network].id, fixed_ips=fixed, security_group_ids=[group.id])
        admin.compute.create_server(
            name=name,
            image_id=minilinux,
            flavor_id=flavor,
            key_name="k",
            networks=[{"port": port.id}],
            availability_zone=f"nova:{host}",
        )
    return {"outside": outside, "group": group}


def neighbours_and_strangers(cloud: Journey, admin: Connection, shells: dict[str, Shell]) -> None:
    east = shells["east"]
    east.does("ping -c 2 -W 10 10.60.0.12")
    assert east.run("ping -c 1 -W 2 10.60.0.13")[0] == 1, "the island is another network's"
    sixes = {}
    for name in ("east", "west"):
        fixed = port_of(admin, name).fixed_ips
        [six] = [each["ip_address"] for each in fixed if ":" in each["ip_address"]]
        until(
            lambda name=name, six=six: f"inet6 {six}/64" in shells[name].does("ip -6 address show eth0"),
            f"{name} asked for its router and made the address {six} of what that told",
            patience_s=UNASKED_S,
        )
        sixes[name] = six
    east.does(f"ping6 -c 2 -W 10 {sixes['west']}")
    lie = "ip address add 10.60.0.99/24 dev eth0; ping -c 1 -W 2 -I 10.60.0.99 10.60.0.12"
    assert east.run(lie)[0] == 1, "a source that is not the port's does not arrive"
    east.does("ip address delete 10.60.0.99/24 dev eth0")
    told = cloud.run("minicloud", "net", "trace", "east", "west", "--port", "22")
    assert told.returncode == 1
    assert "no rule of inner lets tcp 22 from 10.60.0.11 in" in told.stdout
    assert cloud.run("minicloud", "net", "trace", "east", "west").returncode == 0


def ssh_is_blocked_allowed_and_revoked(admin: Connection, made: dict[str, Any]) -> None:
    made["floating"] = floating = admin.network.create_ip(
        floating_network_id=made["outside"].id, port_id=port_of(admin, "east").id
    )
    address = floating.floating_ip_address
    time.sleep(1)
    assert greeting(address, 2) is None
    rule = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    allowed = admin.network.create_security_group_rule(security_group_id=made["group"].id, **rule)
    until(lambda: (greeting(address, 5) or b"").startswith(b"SSH-2.0"), "a rule lets ssh in")
    with socket.create_connection((address, 22), 10) as line:
        line.settimeout(10)
        assert line.recv(100).startswith(b"SSH-2.0")
        admin.network.delete_security_group_rule(allowed)
        until(lambda: greeting(address, 1) is None, "ssh is closed again")
        line.sendall(b"SSH-2.0-a-test\r\n")
        assert falls_silent(line), "what was let in before is not let in any more"
    admin.network.create_security_group_rule(security_group_id=made["group"].id, **rule)


def the_floating_address_moves(admin: Connection, key: Path, made: dict[str, Any]) -> None:
    address = made["floating"].floating_ip_address
    for name in ("east", "west"):
        admin.network.update_ip(made["floating"], port_id=port_of(admin, name).id)
        until(lambda name=name: by_ssh(key, address, "hostname") == name, f"{address} leads to {name}")


def the_way_out(cloud: Journey, shells: dict[str, Shell], made: dict[str, Any]) -> None:
    with a_world(f"mc-{cloud.cloud_id()}-n-{made['outside'].id}", f"{RANGE}.77"):
        said = {name: shells[name].does(f"nc {RANGE}.77 80") for name in ("east", "west")}
    floating = made["floating"].floating_ip_address
    assert said == {"east": f"{ROUTER} world", "west": f"{floating} world"}, "each by its own address or the router's"


def a_card_comes_and_goes_and_its_port_serves_the_next_one(admin: Connection, shells: dict[str, Shell]) -> None:
    red = admin.network.create_network(name="red")
    admin.network.create_subnet(network_id=red.id, ip_version=4, cidr="10.61.0.0/24")
    port = admin.network.create_port(network_id=red.id)
    [fixed] = port.fixed_ips
    wanted = f"inet {fixed['ip_address']}/24"
    for name in ("west", "east"):
        server = admin.compute.find_server(name)
        admin.compute.create_server_interface(server, port_id=port.id)
        until(
            lambda name=name: wanted in shells[name].run("ip address show eth1")[1],
            f"the new card of {name} has the address that its network's DHCP gave it",
        )
        assert port.mac_address in shells[name].does("ip link show eth1")
        shells[name].does("ping -c 1 -W 10 -I eth1 10.61.0.2")
        assert cards(admin, name) == (2, {"green", "red"})
        if name == "west":
            other = {"subnet_id": fixed["subnet_id"], "ip_address": "10.61.0.99"}
            admin.network.update_port(port, fixed_ips=[other])
            until(
                lambda: renewed(shells["west"], "10.61.0.99"),
                "a guest that renews its lease has the port's new address",
            )
            admin.network.update_port(port, fixed_ips=[fixed])
            admin.compute.delete_server_interface(port.id, server=server)
            until(lambda: cards(admin, "west") == (1, {"green"}), "the server has lost the card")
            assert admin.network.get_port(port.id).device_id == "", "a port that was lent is free again"
        else:
            admin.network.delete_port(port)
            assert cards(admin, name) == (1, {"green"})
        until(lambda name=name: shells[name].run("ip link show eth1")[0] != 0, f"the card of {name} is gone")
    shells["east"].does("ping -c 1 -W 10 10.60.0.12")


def renewed(shell: Shell, address: str) -> bool:
    """Whether a second card has this address alone once its lease was renewed; its network's own address answers then."""
    shell.does("kill -USR1 $(cat /run/minilinux/dhcp.eth1); sleep 1")
    told = shell.does("ip -4 -o address show eth1").splitlines()
    here = len(told) == 1 and f"inet {address}/24" in told[0]
    return here and shell.run("ping -c 1 -W 10 -I eth1 10.61.0.2")[0] == 0


def cards(admin: Connection, name: str) -> tuple[int, set[str]]:
    """How many cards a server has, and the networks that it has addresses on, as compute tells."""
    server = admin.compute.get_server(admin.compute.find_server(name).id)
    return len(list(admin.compute.server_interfaces(server))), set(server.addresses)


def what_is_broken_is_mended(cloud: Journey, admin: Connection, shells: dict[str, Shell]) -> None:
    """Behind the cloud's back a bridge is deleted and a DHCP server killed; what was connected before goes on."""
    green = admin.network.find_network("green").id
    [before] = dhcp_servers(cloud, green)
    os.kill(before, signal.SIGKILL)
    parts = [n for n in namespaces(cloud.cloud_id()) if green in n]
    assert len(parts) == 3, "the network and its parts on two hosts"
    for namespace in parts:
        subprocess.run(["ip", "-n", namespace, "link", "delete", "dev", "br0"], check=True)
    until(lambda: shells["east"].run("ping -c 1 -W 1 10.60.0.12")[0] == 0, "the bridges are joined again")
    until(lambda: dhcp_servers(cloud, green) not in ([], [before]), "there is a new DHCP server")
    until(lambda: shells["west"].run("udhcpc -n -q -f -i eth0 -s /bin/true")[0] == 0, "it serves guests")


def dhcp_servers(cloud: Journey, network_id: str) -> list[int]:
    """The processes that serve a network."""
    file = f"--conf-file={cloud.data}/fabric/dhcp/{network_id}"
    return [pid for pid, words in processes() if any(word.startswith(file) for word in words)]


def by_ssh(key: Path, address: str, command: str) -> str:
    """What a command says in the guest that a floating address leads to, called from this machine; '' when nobody answers."""
    options = ["BatchMode=yes", "ConnectTimeout=5", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
    words = ["ssh", "-i", str(key), *(word for option in options for word in ("-o", option)), f"root@{address}"]
    try:
        return subprocess.run([*words, command], capture_output=True, text=True, timeout=15).stdout.strip()
    except subprocess.TimeoutExpired:
        # The address was led elsewhere in the middle of it, which cuts the connection.
        return ""


def greeting(address: str, patience_s: float) -> bytes | None:
    """What an SSH server says first; None when nobody lets us in."""
    try:
        with socket.create_connection((address, 22), patience_s) as line:
            return line.recv(100)
    except (TimeoutError, OSError):
        return None


def falls_silent(line: socket.socket) -> bool:
    """Whether nothing comes any more, after what was on its way already, and the other side has not hung up either."""
    line.settimeout(3)
    try:
        while line.recv(65536):
            pass
    except TimeoutError:
        return True
    return False


def port_of(admin: Connection, name: str) -> Any:
    return next(iter(admin.network.ports(device_id=admin.compute.find_server(name).id)))


@contextmanager
def a_world(namespace: str, address: str) -> Iterator[None]:
    """A namespace on an external network, with a listener that tells callers from where they came."""
    made = f"netns add {WORLD}\n-n {WORLD} link set lo up"
    for line in (
        *made.splitlines(),
        f"-n {namespace} link add name world0 type veth peer name eth0 netns {WORLD}",
        f"-n {namespace} link set dev world0 master br0 up",
        f"-n {WORLD} address add {address}/24 dev eth0",
        f"-n {WORLD} link set dev eth0 up",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    listener = serve(f"/run/netns/{WORLD}", 80, b"world")
    try:
        yield
    finally:
        listener.close()
        subprocess.run(["ip", "netns", "delete", WORLD], check=True)
