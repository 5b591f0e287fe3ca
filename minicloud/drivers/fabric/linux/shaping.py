"""What a port's bandwidth limits are to ``ip`` and ``tc``. Pure.

What the guest gets is what its tap sends: a token bucket there. What the guest sends comes in at the tap, where nothing can be
made to wait; so it goes by way of a device of its own (ifb) that sends it on, with another token bucket.
"""

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


def clear(port_id: str) -> tuple[list[str], list[str]]:
    """``ip`` and ``tc`` lines after which the port has no limit, whether or not it had."""
    tap = device(TAP, port_id)
    return [f"link delete dev {device(DETOUR, port_id)}"], [f"qdisc del dev {tap} ingress", f"qdisc del dev {tap} root"]


def wish(port_id: str, quality: Quality) -> tuple[list[str], list[str]]:
    """``ip`` and ``tc`` lines that lay a port's limits where there are none."""
    tap, detour = device(TAP, port_id), device(DETOUR, port_id)
    links, queues = [], []
    if quality.ingress is not None and quality.ingress.kbps:
        queues.append(f"qdisc add dev {tap} root {_bucket(quality.ingress)}")
    if quality.egress is not None and quality.egress.kbps:
        links += [f"link add name {detour} type ifb", f"link set dev {detour} addrgenmode none alias {port_id} up"]
        queues += [
            f"qdisc add dev {detour} root {_bucket(quality.egress)}",
            f"qdisc add dev {tap} handle ffff: ingress",
            f"filter add dev {tap} parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev {detour}",
        ]
    return links, queues


def _bucket(limit: Limit) -> str:
    rate, peak = min(limit.kbps, _MOST), min(limit.peak_kbps, _MOST)
    # Unsaid, a burst is four fifths of a second's worth, as Neutron has it for TCP's sake.
    burst = (limit.burst_kb or rate * 4 // 5) * 125
    words = f"tbf rate {rate}kbit burst {_bytes(burst)} latency {_LATENCY_MS}ms"
    return words if peak <= rate else f"{words} peakrate {peak}kbit mtu {_bytes(peak * 125 * _PEAK_MS // 1000)}"


def _bytes(wanted: int) -> str:
    return f"{min(max(wanted, _SMALLEST), _MOST)}b"
