"""Sets of addresses as lists of CIDRs of one IP version: made small, and taken from each other. Pure."""

import ipaddress
from collections.abc import Sequence
from typing import Any

# IPv4 and IPv6 never meet in one set; the library's functions for one version refuse to be typed for either.
_Net = Any


def compact(prefixes: Sequence[str]) -> list[str]:
    """The same addresses in as few CIDRs as can be, in order."""
    nets: list[_Net] = [ipaddress.ip_network(prefix) for prefix in prefixes]
    return [str(net) for net in ipaddress.collapse_addresses(nets)]


def without(prefixes: Sequence[str], gone: Sequence[str]) -> list[str]:
    """What is left of prefixes without others, in few CIDRs and in order."""
    left: list[_Net] = [ipaddress.ip_network(prefix) for prefix in compact(prefixes)]
    for prefix in gone:
        hole: _Net = ipaddress.ip_network(prefix)
        rest: list[_Net] = []
        for net in left:
            if net.version != hole.version or not net.overlaps(hole):
                rest.append(net)
            elif net != hole and hole.subnet_of(net):
                rest += net.address_exclude(hole)
        left = rest
    return [str(net) for net in ipaddress.collapse_addresses(left)]
