"""Networks: what wiring a port costs beside the bare commands for it, and what a change of a group costs on a full network."""

import asyncio
import os
import tempfile
import time
from functools import partial
from pathlib import Path

from bench import figures
from minicloud.base.tools import need, run
from minicloud.drivers.fabric import Group, Lease, MetadataReply, MetadataRequest, Network, Port, Rule, Subnet
from minicloud.drivers.fabric.linux import LinuxFabric
from minicloud.drivers.fabric.linux.names import network_namespace
from minicloud.drivers.fabric.together import together

CLOUD = f"b{os.getpid()}"
PORTS = 60
FULL = 1000
SSH = Rule(ingress=True, version=4, protocol=6, first=22, last=22)
GROUP = Group(
    id="web",
    rules=[
        Rule(ingress=False, version=4),
        Rule(ingress=False, version=6),
        SSH,
        Rule(ingress=True, version=4, members_of="web"),
    ],
)


def an_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def an_address(number: int) -> str:
    return f"10.0.{number // 256}.{number % 256}"


def a_port(number: int, network: str) -> Port:
    mac = f"fa:16:3e:00:{number // 256:02x}:{number % 256:02x}"
    return Port(id=an_id(number), network_id=network, mac=mac, addresses=[an_address(number)], groups=["web"])


def a_network(number: int, members: int, *more: Rule) -> Network:
    subnet = Subnet(id="s", cidr="10.0.0.0/16", gateway="10.0.0.1", dhcp_address="10.0.0.2")
    ports = [a_port(n, an_id(number)) for n in range(16, 16 + members)]
    return Network(
        id=an_id(number),
        subnets=[subnet],
        leases=[Lease(mac=port.mac, address=port.addresses[0], hostname=f"host-{port.id}") for port in ports],
        groups=[Group(id="web", rules=[*GROUP.rules, *more])],
        members={"web": [port.addresses[0] for port in ports]},
    )


async def nobody(request: MetadataRequest) -> MetadataReply:
    return MetadataReply(status=404)


async def floor() -> float:
    """Milliseconds of ``ip`` and ``nft`` side by side, for a tap on a bridge and ten rules, the way to their namespace included."""
    name = f"mc-{CLOUD}-floor"
    await run("ip", "netns", "add", name)
    try:
        inside = ["nsenter", f"--net=/run/netns/{name}"]
        await run(*inside, need("ip"), "link", "add", "name", "br0", "type", "bridge")
        await run(*inside, need("nft"), "add table bridge floor")
        samples = []
        for number in range(PORTS):
            links = f"tuntap add dev tap{number} mode tap vnet_hdr\nlink set dev tap{number} master br0 up\n"
            rules = f"add chain bridge floor c{number}\n" + f"add rule bridge floor c{number} udp sport 67 drop\n" * 10
            began = time.perf_counter()
            await together(
                partial(run, *inside, need("ip"), "-batch", "-", input=links.encode()),
                partial(run, *inside, need("nft"), "-f", "-", input=rules.encode()),
            )
            samples.append(time.perf_counter() - began)
        return figures.p50(samples) * 1e3
    finally:
        await run("ip", "netns", "delete", name)


async def main() -> None:
    if os.geteuid() != 0:
        print("wiring is measured as root alone")
        return
    bare = await floor()
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        fabric = LinuxFabric(CLOUD, Path(folder), host_legs=False)
        await fabric.open(nobody)
        try:
            await measured(fabric, bare)
        finally:
            await fabric.purge()
            await fabric.close()


async def measured(fabric: LinuxFabric, bare: float) -> None:
    began = time.perf_counter()
    await fabric.ensure_network(a_network(1, PORTS))
    figures.show("network_built_ms", (time.perf_counter() - began) * 1e3, "ms")
    samples = []
    for number in range(16, 16 + PORTS):
        began = time.perf_counter()
        await fabric.ensure_port(a_port(number, an_id(1)))
        samples.append(time.perf_counter() - began)
    figures.show("port_wired_ms", figures.p50(samples) * 1e3, "ms", floor=bare, target="< 10")

    await asyncio.gather(*(fabric.ensure_network(a_network(number, 1)) for number in range(2, 18)))
    began = time.perf_counter()
    await asyncio.gather(*(fabric.ensure_port(a_port(16 + number, an_id(number))) for number in range(2, 18)))
    each = (time.perf_counter() - began) / 16 * 1e3
    figures.show("port_wired_of_16_at_once_ms", each, "ms", floor=bare, more="each on a network of its own")

    namespace = network_namespace(CLOUD, an_id(1))
    for name, network in (
        (
            "group_of_1000_gets_a_rule_ms",
            a_network(1, FULL, Rule(ingress=True, version=4, protocol=6, first=80, last=80)),
        ),
        (
            "group_of_1000_gets_a_member_ms",
            a_network(1, FULL + 1, Rule(ingress=True, version=4, protocol=6, first=80, last=80)),
        ),
    ):
        if name.endswith("rule_ms"):
            await fabric.ensure_network(a_network(1, FULL))
        began = time.perf_counter()
        await fabric.ensure_network(network)
        taken = (time.perf_counter() - began) * 1e3
        began = time.perf_counter()
        await run(
            "nsenter", f"--net=/run/netns/{namespace}", need("nft"), "-f", "-", input=b"flush chain inet sg e_1\n"
        )
        figures.show(name, taken, "ms", floor=(time.perf_counter() - began) * 1e3, more="beside one bare nft command")


if __name__ == "__main__":
    asyncio.run(main())
