"""What bandwidth limits of ports, and of single addresses at a router's gateway, are to ``ip`` and ``tc``. Pure.

What leaves by a device waits in a queue of it. What comes in by one cannot be made to wait there; so it goes by way of a device of
its own (ifb) that sends it on, with another queue. So what a guest gets waits at its tap and what it sends on the detour; at a
router's gateway it is the other way round. A port has one token bucket each way; a gateway has a class for each address.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from minicloud.drivers.fabric import Limit, Quality
from minicloud.drivers.fabric.linux.names import DETOUR, TAP, device

NOTHING_THERE = "Invalid handle|handle of zero|Cannot find|No such file|No such device"
"""What ``tc`` and ``ip`` say when there is nothing to take away."""

_LATENCY_MS = 50
_SMALLEST = 4000
"""Bytes that a bucket must hold at least: two full frames and their headers."""
_MOST = 2**31 - 1
"""The most that ``tc`` can be told: terabits a second, and gigabytes."""
_PEAK_MS = 4
"""How long the wire's own speed may last where there is a peak: the kernel counts no finer."""

_LARGEST_FRAME = 65536
"""Bytes of what neighbours on one machine hand each other in one piece, for the network card to cut up that is not there."""


@dataclass(frozen=True)
class Plan:
    """What shall hold on a device: ``ip`` and ``tc`` lines that lay it where nothing is."""

    name: str
    detour: str
    links: Sequence[str] = ()
    queues: Sequence[str] = ()

    def clear(self) -> tuple[list[str], list[str]]:
        """``ip`` and ``tc`` lines after which there is nothing, whether or not there was."""
        gone = [f"qdisc del dev {self.name} ingress", f"qdisc del dev {self.name} root"]
        return [f"link delete dev {self.detour}"], gone

    def look(self) -> list[str]:
        """``tc`` lines that tell what is there."""
        filters = [f"filter show dev {self.name} parent {parent}:" for parent in ("1", "ffff")]
        return [f"{what} show dev {name}" for name in (self.name, self.detour) for what in ("qdisc", "class")] + filters


def at_tap(port_id: str, quality: Quality) -> Plan:
    """A port's limits."""
    tap, detour = device(TAP, port_id), device(DETOUR, port_id)
    links, queues = [], []
    if _holds(quality.ingress):
        queues.append(f"qdisc add dev {tap} root {_bucket(quality.ingress)}")
    if _holds(quality.egress):
        links += _link(detour, port_id)
        queues += [
            f"qdisc add dev {detour} root {_bucket(quality.egress)}",
            f"qdisc add dev {tap} handle ffff: ingress",
            f"filter add dev {tap} parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev {detour}",
        ]
    return Plan(tap, detour, links, queues)


def at_gateway(name: str, port_id: str, limits: Mapping[str, Quality]) -> Plan:
    """The limits of addresses at a gateway, whose device is ``name``."""
    detour = device(DETOUR, port_id)
    out = {address: quality.egress for address, quality in sorted(limits.items())}
    into = {address: quality.ingress for address, quality in sorted(limits.items())}
    links, queues = [], _classes(name, "src", out)
    inward = _classes(detour, "dst", into)
    if inward:
        links += _link(detour, port_id)
        queues += [*inward, f"qdisc add dev {name} handle ffff: ingress"]
        queues += [
            f"filter add dev {name} parent ffff: protocol ip prio 1 u32 match ip dst {_number(address)}/32 "
            f"action mirred egress redirect dev {detour}"
            for address, limit in into.items()
            if _holds(limit)
        ]
    return Plan(name, detour, links, queues)


def _classes(name: str, end: str, limits: Mapping[str, Limit | None]) -> list[str]:
    """A class for each address on a device; what belongs to none goes its way at once."""
    lines: list[str] = []
    for number, (address, limit) in enumerate(limits.items(), start=2):
        if not _holds(limit):
            continue
        rate, burst = f"{min(limit.kbps, _MOST)}kbit", _bytes(_burst(limit))
        waits = _bytes(max(_burst(limit) + limit.kbps * _LATENCY_MS // 8, 2 * _LARGEST_FRAME))
        lines += [
            f"class add dev {name} parent 1: classid 1:{number:x} htb rate {rate} ceil {rate} burst {burst} cburst {burst} "
            "quantum 1514",
            f"qdisc add dev {name} parent 1:{number:x} bfifo limit {waits}",
            f"filter add dev {name} parent 1: protocol ip prio 1 u32 match ip {end} {_number(address)}/32 flowid 1:{number:x}",
        ]
    return [f"qdisc add dev {name} root handle 1: htb", *lines] if lines else []


def _link(detour: str, port_id: str) -> list[str]:
    return [f"link add name {detour} type ifb", f"link set dev {detour} addrgenmode none alias {port_id} up"]


def _holds(limit: Limit | None) -> TypeGuard[Limit]:
    return limit is not None and limit.kbps > 0


def _number(address: str) -> str:
    return str(ipaddress.IPv4Address(address))


def _bucket(limit: Limit) -> str:
    rate, peak = min(limit.kbps, _MOST), min(limit.peak_kbps, _MOST)
    words = f"tbf rate {rate}kbit burst {_bytes(_burst(limit))} latency {_LATENCY_MS}ms"
    return words if peak <= rate else f"{words} peakrate {peak}kbit mtu {_bytes(peak * 125 * _PEAK_MS // 1000)}"


def _burst(limit: Limit) -> int:
    # Unsaid, a burst is four fifths of a second's worth, as Neutron has it for TCP's sake.
    return (limit.burst_kb or min(limit.kbps, _MOST) * 4 // 5) * 125


def _bytes(wanted: int) -> str:
    return f"{min(max(wanted, _SMALLEST), _MOST)}b"
