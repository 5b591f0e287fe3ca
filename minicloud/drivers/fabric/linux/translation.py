"""A router's address translation as nftables text: floating addresses, forwarded ports, and the way out behind its own. Pure."""

import zlib
from collections.abc import Mapping

from minicloud.drivers.fabric import Router
from minicloud.drivers.fabric.linux.dhcp import is_ipv4
from minicloud.drivers.fabric.linux.names import METADATA
from minicloud.drivers.fabric.linux.routers import side

_PORT = "inet_proto . ipv4_addr . inet_service"


def rules(router: Router) -> str:
    """Address translation; loaded at once and in place of what was, without a moment in between.

    The ``guard`` table ends flows of floating addresses that were taken away: translation is decided once per connection
    and would outlive them.
    """
    floating = {f: fixed for f, fixed in router.floating.items() if is_ipv4(f) and is_ipv4(fixed)}
    lines = [
        "add table ip nat",
        "add map ip nat inward { type ipv4_addr : ipv4_addr; }",
        "add map ip nat outward { type ipv4_addr : ipv4_addr; }",
        f"add map ip nat forwards {{ type {_PORT} : ipv4_addr . inet_service; }}",
        f"add map ip nat forward_marks {{ type {_PORT} : mark; }}",
        "add chain ip nat pre { type nat hook prerouting priority dstnat; }",
        "add chain ip nat out { type nat hook output priority -100; }",
        "add chain ip nat post { type nat hook postrouting priority srcnat; }",
        "add table ip guard",
        "add set ip guard inward { type ipv4_addr . ipv4_addr; }",
        "add set ip guard outward { type ipv4_addr . ipv4_addr; }",
        "add set ip guard forwards { type mark; }",
        "add chain ip guard forward { type filter hook forward priority filter; }",
        "add chain ip guard input { type filter hook input priority filter; }",
        *(f"flush chain ip nat {chain}" for chain in ("pre", "out", "post")),
        *(f"flush chain ip guard {chain}" for chain in ("forward", "input")),
        *(f"flush map ip nat {name}" for name in ("inward", "outward", "forwards", "forward_marks")),
        *(f"flush set ip guard {name}" for name in ("inward", "outward", "forwards")),
    ]
    for address, fixed in sorted(floating.items()):
        lines += [
            f"add element ip nat inward {{ {address} : {fixed} }}",
            f"add element ip guard inward {{ {address} . {fixed} }}",
            f"add element ip guard outward {{ {fixed} . {address} }}",
        ]
    for outer, inner in forwarded(router).items():
        mark = _mark(outer, inner)
        lines += [
            f"add element ip nat forwards {{ {outer} : {inner} }}",
            f"add element ip nat forward_marks {{ {outer} : {mark} }}",
            f"add element ip guard forwards {{ {mark} }}",
        ]
    # One fixed address may have several floating ones; what it sends leaves from the first.
    lines += [f"add element ip nat outward {{ {fixed} : {a} }}" for a, fixed in _first(floating).items()]
    if router.gateway is not None:
        lines += _gateway_rules(side(router, router.gateway), router)
    return "".join(f"{line}\n" for line in lines)


def forwarded(router: Router) -> dict[str, str]:
    """Where single ports of floating addresses lead: ``tcp . 203.0.113.5 . 80`` to ``10.0.0.5 . 8080``."""
    return {
        f"{forward.protocol} . {forward.floating} . {forward.first + offset}": f"{forward.fixed} . {forward.fixed_first + offset}"
        for forward in router.forwards
        for offset in range(forward.last - forward.first + 1)
    }


def _mark(outer: str, inner: str) -> int:
    """What connections over a forwarded port are marked with, so that they end with it."""
    return zlib.crc32(f"{outer} {inner}".encode()) or 1


def _first(floating: Mapping[str, str]) -> dict[str, str]:
    taken: dict[str, str] = {}
    for address, fixed in sorted(floating.items()):
        taken.setdefault(fixed, address)
    return {address: fixed for fixed, address in taken.items()}


def _gateway_rules(out: str, router: Router) -> list[str]:
    own = next((a.partition("/")[0] for a in (router.gateway.addresses if router.gateway else []) if is_ipv4(a)), None)
    nat, guard = "add rule ip nat", "add rule ip guard"
    gone = "ct original ip saddr . ct reply ip daddr != @outward counter drop"
    if own is not None:
        gone = f"ct reply ip daddr != {own} {gone}"
    lines = [
        f"{nat} pre ct mark set meta l4proto . ip daddr . th dport map @forward_marks",
        f"{nat} pre dnat ip to meta l4proto . ip daddr . th dport map @forwards",
        f"{nat} pre dnat to ip daddr map @inward",
        f"{nat} out dnat to ip daddr map @inward",
        # A guest that calls another by its floating address: the answer has to come back by the router, too.
        f'{nat} post iifname != "{out}" oifname != "{out}" ct status dnat masquerade',
        f'{nat} post oifname "{out}" snat to ip saddr map @outward',
        f"{guard} forward ct mark != 0 ct mark != @forwards counter drop",
        f"{guard} forward ct mark 0 ct status dnat ct original ip daddr . ct reply ip saddr != @inward counter drop",
        f'{guard} forward oifname "{out}" ct status snat {gone}',
        f'{guard} forward iifname "{out}" ct status snat {gone}',
        f'{guard} input iifname "{out}" ip daddr {METADATA} counter drop',
    ]
    if router.snat and own is not None:
        lines.append(f'{nat} post oifname "{out}" snat to {own}')
    return lines
