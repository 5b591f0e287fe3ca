"""What may be a rule of a security group, and when two rules mean the same: refused in Neutron's words."""

import ipaddress
from typing import Any

from minicloud.base.errors import Invalid
from minicloud.core.network.rows import SecurityGroupRule

PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "icmp": 1,
    "icmpv6": 58,
    "igmp": 2,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""Protocol numbers by Neutron's names."""
WITH_PORTS = ("tcp", "udp", "sctp", "dccp", "udplite")
_PORT_NUMBERS = {PROTOCOLS[name] for name in WITH_PORTS}
_ICMP = (1, 58)
_ONLY_V6 = (41, 43, 44, 58, 59, 60)


def normalized(prefix: str | None) -> str | None:
    """The network that a prefix lies in."""
    return None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))


def number(protocol: str) -> int:
    """A protocol's number."""
    return int(protocol) if protocol.isdigit() else PROTOCOLS[protocol]


def canonical(rule: SecurityGroupRule) -> SecurityGroupRule:
    """All ports are no ports; ICMP on IPv6 is another protocol."""
    if rule.protocol in ("icmp", "icmpv6") and rule.ethertype == "IPv6":
        rule = rule.with_(protocol="ipv6-icmp")
    ports = (rule.port_range_min, rule.port_range_max)
    if ports == (1, 65535) and rule.protocol is not None and number(rule.protocol) in _PORT_NUMBERS:
        rule = rule.with_(port_range_min=None, port_range_max=None)
    return rule


def check(rule: SecurityGroupRule) -> None:
    low, high = rule.port_range_min, rule.port_range_max
    if low is not None or high is not None:
        _check_ports(rule, low, high)
    ends = (rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id)
    if sum(end is not None for end in ends) > 1:
        raise _refused(
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
            "SecurityGroupMultipleRemoteEntites",
        )
    if rule.remote_ip_prefix is not None:
        version = ipaddress.ip_interface(rule.remote_ip_prefix).version
        if rule.ethertype != f"IPv{version}":
            raise _refused(
                f"Conflicting value ethertype {rule.ethertype} for CIDR {rule.remote_ip_prefix}",
                "SecurityGroupRuleParameterConflict",
            )
    if rule.protocol is not None and rule.ethertype == "IPv4" and number(rule.protocol) in _ONLY_V6:
        raise _refused(
            f"Invalid ethertype {rule.ethertype} for protocol {rule.protocol}.",
            "SecurityGroupEthertypeConflictWithProtocol",
        )


def _check_ports(rule: SecurityGroupRule, low: int | None, high: int | None) -> None:
    if rule.protocol is None:
        raise _refused("Must also specify protocol if port range is given.", "SecurityGroupProtocolRequiredWithPorts")
    protocol = number(rule.protocol)
    if protocol in _PORT_NUMBERS:
        if low == 0 or high == 0:
            raise _refused("Invalid value for port 0", "SecurityGroupInvalidPortValue")
        if low is None or high is None or low > high:
            raise _refused(
                "For TCP/UDP protocols, port_range_min must be <= port_range_max", "SecurityGroupInvalidPortRange"
            )
    elif protocol in _ICMP:
        for field, name, value in (("type", "port_range_min", low), ("code", "port_range_max", high)):
            if value is not None and not 0 <= value <= 255:
                raise _refused(
                    f"Invalid value for ICMP {field} ({name}) {value}. It must be 0 to 255.",
                    "SecurityGroupInvalidIcmpValue",
                )
        if low is None and high is not None:
            raise _refused(
                f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.",
                "SecurityGroupMissingIcmpType",
            )
    else:
        raise _refused(
            f"Ports cannot be specified for protocol {protocol}. Ports are only supported for "
            f"{', '.join(name.upper() for name in WITH_PORTS)}.",
            "SecurityGroupInvalidProtocolForPort",
        )


def same(one: SecurityGroupRule, two: SecurityGroupRule) -> bool:
    """Whether two rules let the same pass; no prefix is every address, a protocol's name is its number."""

    def meaning(rule: SecurityGroupRule) -> tuple[Any, ...]:
        prefix = normalized(rule.remote_ip_prefix)
        everywhere = prefix in ("0.0.0.0/0", "::/0")
        protocol = None if rule.protocol is None else number(rule.protocol)
        return (
            rule.direction,
            rule.ethertype,
            protocol,
            rule.port_range_min,
            rule.port_range_max,
            None if everywhere else prefix,
            rule.remote_group_id,
            rule.remote_address_group_id,
        )

    return meaning(one) == meaning(two)


def _refused(message: str, kind: str) -> Invalid:
    return Invalid(message, kind=kind)
