"""What a host shall do with ports of floating addresses that lead inside."""

from minicloud.core.network.port_forwardings import PortForwarding
from minicloud.core.network.wished import ForwardWish


def forwards_of(address: str, one: PortForwarding) -> list[ForwardWish]:
    """The wishes for ports of a floating address: one for equally many, one for each that leads to a single port inside."""
    if one.internal_last - one.internal_first == one.external_last - one.external_first:
        spans = [(one.external_first, one.external_last)]
    else:
        spans = [(port, port) for port in range(one.external_first, one.external_last + 1)]
    return [
        ForwardWish(
            protocol=one.protocol,
            floating=address,
            first=first,
            last=last,
            fixed=one.internal_ip_address,
            fixed_first=one.internal_first,
        )
        for first, last in spans
    ]
