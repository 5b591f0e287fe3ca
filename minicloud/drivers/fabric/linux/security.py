"""Security groups as nftables text: what brings a network's tables from what was loaded last to what they shall hold. Pure.

The inet family knows connections but no taps, the bridge family knows taps but no connections: a bridge chain puts a port's
number on each frame as its mark, once for the tap it came from and later for the one it goes to, and inet chains judge by
the mark. So a broadcast is judged for each of its receivers, and addresses that several ports share do no harm.

What the opener of a connection sends is judged by the rules for ever, what comes back only by the connection: when a rule
goes, the connections that it let pass are cut with it.
"""

import hashlib
import ipaddress
from collections.abc import Iterable

import msgspec

from minicloud.base.ids import is_uuid
from minicloud.drivers.fabric import Group, Network, Port, Rule
from minicloud.drivers.fabric.linux.names import TAP, device

_WITH_PORTS = (6, 17, 33, 132, 136)
_ICMP = {1: "icmp", 58: "icmpv6"}
_NEIGHBOURS = (
    "nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld-listener-done, "
    "mld2-listener-report"
)
_ALWAYS = {
    "e": [
        "udp sport 68 udp dport 67 accept",
        "udp sport 546 udp dport 547 accept",
        f"icmpv6 type {{ nd-router-solicit, {_NEIGHBOURS} }} accept",
    ],
    "i": [
        "udp sport 67 udp dport 68 accept",
        "udp sport 547 udp dport 546 accept",
        f"icmpv6 type {{ nd-router-advert, {_NEIGHBOURS} }} accept",
    ],
}
_STATEFUL = [
    "ct state related accept",
    "ct state established ct direction reply accept",
    "ct state invalid counter drop",
]


class Filtered(msgspec.Struct, frozen=True):
    """A port that is filtered: its number on this network, its tap and its groups."""

    number: int
    tap: str
    groups: list[str]


class Table(msgspec.Struct, frozen=True):
    """What a network's tables hold."""

    groups: dict[str, Group] = {}
    members: dict[str, list[str]] = {}
    ports: dict[str, Filtered] = {}
    last: int = 0


def with_network(table: Table, network: Network) -> Table:
    """The table with the groups and the members that a network has now."""
    return msgspec.structs.replace(
        table,
        groups={group.id: group for group in network.groups},
        members={name: widest(members) for name, members in network.members.items()},
    )


def with_port(table: Table, port: Port) -> Table:
    """The table with a port as it is now; one that is not filtered does not appear."""
    if port.groups is None or not port.port_security:
        return without_port(table, port.id)
    known = table.ports.get(port.id)
    number = known.number if known is not None else table.last + 1
    filtered = Filtered(number, device(TAP, port.id), sorted(port.groups))
    return msgspec.structs.replace(table, ports={**table.ports, port.id: filtered}, last=max(table.last, number))


def without_port(table: Table, port_id: str) -> Table:
    """The table without a port."""
    if port_id not in table.ports:
        return table
    return msgspec.structs.replace(table, ports={i: port for i, port in table.ports.items() if i != port_id})


def whole(table: Table) -> str:
    """All of it, in place of whatever there was, without a moment in between."""
    lines = [
        *(line for family in ("bridge", "inet") for line in (f"add table {family} sg", f"delete table {family} sg")),
        "add table bridge sg",
        "add map bridge sg numbers { type ifname : mark; }",
        "add chain bridge sg from_port { type filter hook prerouting priority -290; policy accept; }",
        "add rule bridge sg from_port meta mark set iifname map @numbers",
        "add chain bridge sg to_port { type filter hook forward priority -10; policy accept; }",
        "add rule bridge sg to_port meta mark set 0",
        "add rule bridge sg to_port meta mark set oifname map @numbers",
        "add table inet sg",
        "add map inet sg senders { type mark : verdict; }",
        "add map inet sg receivers { type mark : verdict; }",
        "add chain inet sg egress { type filter hook prerouting priority filter; policy accept; }",
        "add rule inet sg egress meta mark vmap @senders",
        "add chain inet sg ingress { type filter hook forward priority filter; policy accept; }",
        "add rule inet sg ingress meta mark vmap @receivers",
    ]
    lines += _differences(Table(), table)
    return _text(lines)


def change(before: Table, after: Table) -> str:
    """What leads from one table to another; only what differs is touched."""
    if set(before.groups) - set(after.groups) or set(before.members) - set(after.members):
        # Nothing may go that something still refers to: rather than find an order for that, begin anew.
        return whole(after)
    return _text(_differences(before, after))


def widest(members: Iterable[str]) -> list[str]:
    """Members in order, each once, without those that lie in another: the kernel's sets refuse what overlaps."""
    found = sorted({ipaddress.ip_network(m, strict=False) for m in members}, key=lambda n: (n.version, n.prefixlen))
    taken: set[ipaddress.IPv4Network | ipaddress.IPv6Network] = set()
    lengths: set[tuple[int, int]] = set()
    for network in found:
        shorter = [length for version, length in lengths if version == network.version and length < network.prefixlen]
        if not any(network.supernet(new_prefix=length) in taken for length in shorter):
            taken.add(network)
            lengths.add((network.version, network.prefixlen))
    return [str(network) for network in sorted(taken, key=lambda n: (n.version, n.network_address))]


def _differences(before: Table, after: Table) -> list[str]:
    lines = []
    for name, members in after.members.items():
        lines += _members(name, before.members.get(name), members)
    for group in after.groups.values():
        if before.groups.get(group.id) != group:
            lines += _group(group, new=group.id not in before.groups)
    for port_id, port in after.ports.items():
        if before.ports.get(port_id) != port or _stateful(port, before) != _stateful(port, after):
            lines += _port(port, after)
    for port_id, port in before.ports.items():
        if port_id not in after.ports:
            lines += _no_port(port)
    return lines


def _members(name: str, before: list[str] | None, after: list[str]) -> list[str]:
    lines = []
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        if before is None:
            lines.append(f"add set inet sg {_set(name, version)} {{ type {kind}; flags interval; }}")
        had, has = _of_version(before or [], version), _of_version(after, version)
        gone, new = [m for m in had if m not in set(has)], [m for m in has if m not in set(had)]
        if gone:
            lines.append(f"delete element inet sg {_set(name, version)} {{ {', '.join(gone)} }}")
        if new:
            lines.append(f"add element inet sg {_set(name, version)} {{ {', '.join(new)} }}")
    return lines


def _of_version(members: list[str], version: int) -> list[str]:
    return [member for member in members if (":" in member) == (version == 6)]


def _group(group: Group, *, new: bool) -> list[str]:
    lines = []
    for way, ingress in (("i", True), ("e", False)):
        chain = _chain(way, group.id)
        lines += [*([f"add chain inet sg {chain}"] if new else []), f"flush chain inet sg {chain}"]
        lines += [f"add rule inet sg {chain} {_rule(rule)}" for rule in group.rules if rule.ingress == ingress]
    return lines


def _rule(rule: Rule) -> str:
    family, end = ("ip6" if rule.version == 6 else "ip"), ("saddr" if rule.ingress else "daddr")
    words = [f"meta nfproto ipv{rule.version}"]
    if rule.remote is not None and ipaddress.ip_network(rule.remote, strict=False).prefixlen:
        words.append(f"{family} {end} {ipaddress.ip_network(rule.remote, strict=False)}")
    if rule.members_of is not None:
        words.append(f"{family} {end} @{_set(rule.members_of, rule.version)}")
    if rule.protocol is not None:
        words.append(f"meta l4proto {rule.protocol}")
    if rule.protocol in _WITH_PORTS and rule.first is not None:
        words.append(f"th dport {rule.first}-{rule.last if rule.last is not None else rule.first}")
    elif rule.protocol in _ICMP and rule.first is not None:
        words.append(f"{_ICMP[rule.protocol]} type {rule.first}")
        if rule.last is not None:
            words.append(f"{_ICMP[rule.protocol]} code {rule.last}")
    return " ".join([*words, "accept"])


def _port(port: Filtered, table: Table) -> list[str]:
    lines = [f'add element bridge sg numbers {{ "{port.tap}" : {port.number} }}']
    for way, name in (("e", "senders"), ("i", "receivers")):
        chain = f"{way}_{port.number}"
        rules = [*_ALWAYS[way], *(_STATEFUL if _stateful(port, table) else [])]
        rules += [f"jump {_chain(way, group_id)}" for group_id in port.groups]
        # Adding a chain that is there changes nothing, but costs 15 ms: the kernel waits for its last readers.
        unknown = [group_id for group_id in port.groups if group_id not in table.groups]
        lines += [f"add chain inet sg {_chain(way, group_id)}" for group_id in unknown]
        lines += [f"add chain inet sg {chain}", f"flush chain inet sg {chain}"]
        lines += [f"add rule inet sg {chain} {rule}" for rule in [*rules, "counter drop"]]
        lines.append(f"add element inet sg {name} {{ {port.number} : jump {chain} }}")
    return lines


def _no_port(port: Filtered) -> list[str]:
    lines = [f'delete element bridge sg numbers {{ "{port.tap}" : {port.number} }}']
    for way, name in (("e", "senders"), ("i", "receivers")):
        chain = f"{way}_{port.number}"
        lines += [
            f"delete element inet sg {name} {{ {port.number} : jump {chain} }}",
            f"flush chain inet sg {chain}",
            f"delete chain inet sg {chain}",
        ]
    return lines


def _stateful(port: Filtered, table: Table) -> bool:
    return all(table.groups[group_id].stateful for group_id in port.groups if group_id in table.groups)


def _chain(way: str, group_id: str) -> str:
    return f"g{way}_{_plain(group_id)}"


def _set(name: str, version: int) -> str:
    return f"m{version}_{_plain(name)}"


def _plain(identity: str) -> str:
    return identity.replace("-", "") if is_uuid(identity) else hashlib.sha256(identity.encode()).hexdigest()[:32]


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
