"""What networks this machine can carry, found out by trying in namespaces that are thrown away; for ``cloud.py`` and ``doctor``."""

import os
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from minicloud.base import trace
from minicloud.base.errors import ToolFailed
from minicloud.base.tools import PACKAGES, find, need, run
from minicloud.drivers.fabric import Group, Network, Port, Router, RouterPort, Rule
from minicloud.drivers.fabric.linux import guard, security, translation
from minicloud.drivers.fabric.together import together

_PROGRAMS = ("ip", "nft", "dnsmasq", "nsenter", "unshare", "setpriv")
_TUN = "/dev/net/tun"
_BRIDGE_FILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"

_DEVICES = """\
link add name br0 type bridge stp_state 0 forward_delay 0
tuntap add dev tap0 mode tap vnet_hdr
link set dev tap0 master br0 addrgenmode none up
link add name qr0 type veth peer name rp0
link set dev br0 up
"""


class FabricProbe(msgspec.Struct, frozen=True, kw_only=True):
    """``best`` is the fabric to take: ``linux`` (as root), ``rootless`` (linux in a user namespace) or ``user``.

    ``missing`` tells, a line each with its remedy, what keeps the machine from something better than ``best``; empty when
    nothing does. ``root`` and ``user_namespaces`` are what we are and what we may make.
    """

    best: Literal["linux", "rootless", "user"]
    root: bool
    user_namespaces: bool
    missing: list[str] = []


async def probe() -> FabricProbe:
    """Try what a cloud will do. Takes about a tenth of a second and leaves nothing."""
    root = os.geteuid() == 0
    missing = [f"{name} is not installed: apt install {PACKAGES[name]}" for name in _PROGRAMS if find(name) is None]
    if not os.access(_TUN, os.F_OK):
        missing.append(f"{_TUN} is not there: modprobe tun")
    elif not os.access(_TUN, os.R_OK | os.W_OK):
        missing.append(f"{_TUN} may not be opened: chmod 0666 {_TUN}, as root")
    if find("unshare") is None:
        return FabricProbe(best="user", root=root, user_namespaces=False, missing=missing)
    if not os.access(_BRIDGE_FILTER, os.F_OK):
        missing.append("bridges do not show their frames to security groups: modprobe br_netfilter, as root")
    as_user = ["--user", "--map-root-user", "--net", "--mount"]
    namespaces = await _works(*as_user, "mount", "-t", "tmpfs", "tmpfs", "/run") is None
    if not root and not namespaces:
        missing.append(_why_no_namespaces())
    if missing:
        return FabricProbe(best="user", root=root, user_namespaces=namespaces, missing=missing)
    failures = await _try(["--net"] if root else as_user)
    best: Literal["linux", "rootless", "user"] = "linux" if root else "rootless"
    if failures and root and namespaces:
        # Root in a container, without rights on networks, may still have a user namespace of its own.
        failures, best = await _try(as_user), "rootless"
    if failures:
        best = "user"
    trace.note("fabric_probe", best=best, root=root, user_namespaces=namespaces, missing=failures)
    return FabricProbe(best=best, root=root, user_namespaces=namespaces, missing=failures)


async def _try(unshare: list[str]) -> list[str]:
    failures: list[str] = []

    async def attempt(what: str, script: str, *argv: str) -> None:
        why = await _works(*unshare, need(argv[0]), *argv[1:], script=script)
        if why is not None:
            failures.append(f"{what}: {why}")

    await together(
        partial(
            attempt, "bridges, taps and veths do not work (modprobe bridge tun veth)", _DEVICES, "ip", "-batch", "-"
        ),
        partial(
            attempt, "nftables' bridge family does not work (modprobe nf_tables)", _bridge_rules(), "nft", "-f", "-"
        ),
        partial(
            attempt, "address translation does not work (modprobe nft_nat nft_ct)", _router_rules(), "nft", "-f", "-"
        ),
    )
    return sorted(failures)


async def _works(*argv: str, script: str = "") -> str | None:
    """None when the program ends well in fresh namespaces; else the last thing that it said."""
    try:
        await run("unshare", *argv, input=script.encode(), timeout_s=10)
    except ToolFailed as error:
        return error.message.partition(": ")[2] or error.message
    return None


def _bridge_rules() -> str:
    port = Port(id="probe", network_id="probe", mac="fa:16:3e:00:00:01", addresses=["10.0.0.10"], groups=["probe"])
    rule = Rule(ingress=True, version=4, protocol=6, first=22, members_of="probe")
    network = Network(id="probe", groups=[Group(id="probe", rules=[rule])], members={"probe": ["10.0.0.0/24"]})
    table = security.with_port(security.with_network(security.Table(), network), port)
    return guard.base("probe") + guard.allow(port) + security.whole(table)


def _router_rules() -> str:
    outside = RouterPort(id="probe", network_id="probe", mac="fa:16:3e:00:00:02", addresses=["203.0.113.10/24"])
    return translation.rules(Router(id="probe", gateway=outside, floating={"203.0.113.50": "10.0.0.10"}))


def _why_no_namespaces() -> str:
    for setting, bad, good in (
        ("kernel/unprivileged_userns_clone", "0", "1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
        ("user/max_user_namespaces", "0", "15000"),
    ):
        try:
            now = Path("/proc/sys", setting).read_text().strip()
        except OSError:
            continue
        if now == bad:
            return f"ordinary users may not make user namespaces: sysctl -w {setting.replace('/', '.')}={good}, as root"
    return "user namespaces do not work here (a container's seccomp profile, perhaps): run as root, or outside of the container"
