"""What a host shall hold of the network: the wished networks and ports, made from the rows by pure functions; for routers see ``router_wishes``.

The shapes stand in ``wished``; ``conductor/network/wiring`` converts them to what hosts are sent. A host needs the
leases of the ports that are bound to it, and of no others: whoever asks for an address there is on that host.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from minicloud.core import records
from minicloud.core.network import (
    address_groups,
    addressing,
    dhcp_names,
    hostings,
    ports,
    qualities,
    security_group_rules,
    security_groups,
)
from minicloud.core.network.addressing import FixedIp
from minicloud.core.network.rows import (
    DHCP,
    DhcpOption,
    Network,
    Port,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
)
from minicloud.core.network.wished import (
    GroupWish,
    LeaseWish,
    NetworkWish,
    PortWish,
    QualityWish,
    RuleWish,
    SubnetWish,
)
from minicloud.engines.database import Transaction


def network_of(
    network: Network,
    subnets: Sequence[Subnet],
    dhcp_addresses: Mapping[str, str],
    leases: Sequence[LeaseWish],
    groups: Sequence[GroupWish] = (),
    members: Mapping[str, list[str]] | None = None,
) -> NetworkWish:
    """The wish for a network. ``dhcp_addresses`` are those of its DHCP port, by subnet."""
    return NetworkWish(
        id=network.id,
        mtu=network.mtu,
        external=network.external,
        subnets=[
            SubnetWish(
                id=subnet.id,
                cidr=subnet.cidr,
                gateway=subnet.gateway_ip,
                dhcp=network.admin_state_up and subnet.enable_dhcp and subnet.id in dhcp_addresses,
                dhcp_address=dhcp_addresses.get(subnet.id),
                dns_servers=subnet.dns_nameservers,
                host_routes=[(route.destination, route.nexthop) for route in subnet.host_routes],
                ipv6_mode=subnet.ipv6_address_mode,
            )
            for subnet in subnets
        ],
        leases=list(leases),
        groups=list(groups),
        members=dict(members or {}),
    )


def group_of(group: SecurityGroup, rules: Sequence[SecurityGroupRule]) -> GroupWish:
    """The wish for a security group."""
    return GroupWish(
        id=group.id,
        stateful=group.stateful,
        rules=[
            RuleWish(
                ingress=rule.direction == "ingress",
                version=6 if rule.ethertype == "IPv6" else 4,
                protocol=None if rule.protocol is None else security_group_rules.number(rule.protocol),
                first=rule.port_range_min,
                last=rule.port_range_max,
                remote=rule.remote_ip_prefix,
                members_of=rule.remote_group_id or rule.remote_address_group_id,
            )
            for rule in rules
        ],
    )


def port_of(
    port: Port,
    mtu: int,
    fixed_ips: Sequence[FixedIp],
    groups: Sequence[str],
    quality: QualityWish = qualities.NOTHING,
) -> PortWish:
    """The wish for a port."""
    return PortWish(
        id=port.id,
        network_id=port.network_id,
        mac=port.mac_address,
        mtu=mtu,
        addresses=[fixed.ip_address for fixed in fixed_ips],
        machine_id=port.device_id,
        port_security=port.port_security_enabled,
        allowed_pairs=[(pair.ip_address, pair.mac_address or port.mac_address) for pair in port.allowed_address_pairs],
        groups=sorted(groups),
        host=port.host,
        up=port.admin_state_up,
        quality=quality,
    )


def network_wish(
    tx: Transaction, network_id: str, host: str | None, agents: Collection[str] | None = None
) -> NetworkWish:
    """A network as this host shall have it now, with the leases and members of the ports that are bound there (None: to any host).

    ``agents`` are the hosts whose agents serve it there; None: those of all hosts, or of this one. Raises NotFound.
    """
    network = records.get(tx, Network, network_id)
    addresses = tx.all(
        "SELECT a.subnet_id, a.address FROM ports p JOIN ip_allocations a ON a.port_id = p.id "
        "WHERE p.device_id = ? AND p.device_owner = ?",
        [f"dhcp-{network_id}", DHCP],
    )
    leases = tx.all(
        "SELECT p.mac_address, a.address, p.hostname, p.dns_name, p.extra_dhcp_opts FROM ports p JOIN ip_allocations a ON a.port_id = p.id "
        "JOIN subnets s ON s.id = a.subnet_id WHERE p.host <> '' AND p.host = COALESCE(?, p.host) AND p.network_id = ? AND p.admin_state_up = 1 "
        "AND (s.ip_version = 4 OR s.ipv6_address_mode = 'dhcpv6-stateful') ORDER BY a.address",
        [host, network_id],
    )
    if not hostings.served_by(tx, _agents(host, agents), hostings.DHCP, network_id):
        addresses, leases = [], []
    groups = _groups_on(tx, network_id, host)
    lists = address_groups.addresses_in(tx, _named(groups))
    named = [name for name in _named(groups) if name not in lists]
    return network_of(
        network,
        addressing.subnets_of(tx, network_id),
        dict(addresses),
        [
            LeaseWish(
                mac=mac,
                address=address,
                hostname=dhcp_names.of_card(dns_name, name, address),
                options=_options(options, address),
            )
            for mac, address, name, dns_name, options in leases
        ],
        groups,
        security_groups.addresses_in(tx, named, host) | lists,
    )


def port_wish(tx: Transaction, port_id: str) -> PortWish:
    """A port as its host shall have it now. Raises NotFound."""
    port = records.get(tx, Port, port_id)
    return _wishes(tx, [port])[0]


def port_wishes(tx: Transaction, port_ids: Iterable[str]) -> list[PortWish]:
    """Ports as their hosts shall have them now, in three queries for any number; those that are no more are left out."""
    return _wishes(tx, records.select_in(tx, Port, "id", sorted(port_ids)))


def port_wishes_of(tx: Transaction, server_id: str) -> list[PortWish]:
    """A server's ports as its host shall have them now, in the order of its cards."""
    return _wishes(tx, ports.of_server(tx, server_id))


def _wishes(tx: Transaction, found: Sequence[Port]) -> list[PortWish]:
    over = {n.id: n for n in records.select_in(tx, Network, "id", sorted({port.network_id for port in found}))}
    held = addressing.held_by(tx, [port.id for port in found])
    groups = security_groups.of_ports(tx, [port.id for port in found])
    held_to = qualities.of_ports(tx, found, over)
    return [
        port_of(
            port,
            over[port.network_id].mtu,
            held.get(port.id, []),
            groups.get(port.id, []),
            held_to.get(port.id, qualities.NOTHING),
        )
        for port in found
    ]


def _agents(host: str | None, agents: Collection[str] | None) -> Collection[str] | None:
    return [host] if agents is None and host is not None else agents


def _options(options: str, address: str) -> list[tuple[str, str]]:
    """The further options of DHCP that a card is handed with an address."""
    if options == "[]":
        return []
    version = 6 if ":" in address else 4
    wanted = msgspec.json.decode(options, type=list[DhcpOption])
    return [(one.opt_name, one.opt_value) for one in wanted if one.ip_version == version]


def _named(groups: Sequence[GroupWish]) -> list[str]:
    return sorted({rule.members_of for group in groups for rule in group.rules if rule.members_of is not None})


def _groups_on(tx: Transaction, network_id: str, host: str | None) -> list[GroupWish]:
    rows = tx.all(
        "SELECT DISTINCT b.security_group_id FROM ports p JOIN port_security_groups b ON b.port_id = p.id "
        "WHERE p.host <> '' AND p.host = COALESCE(?, p.host) AND p.network_id = ? AND p.port_security_enabled = 1 "
        "ORDER BY b.security_group_id",
        [host, network_id],
    )
    ids = [group_id for (group_id,) in rows]
    rules = security_groups.rules_of(tx, ids)
    found = sorted(records.select_in(tx, SecurityGroup, "id", ids), key=lambda group: group.id)
    return [group_of(group, rules[group.id]) for group in found]


def networks_on(tx: Transaction, host: str) -> list[str]:
    """The networks of the ports that are bound to a host."""
    return [
        row[0] for row in tx.all("SELECT DISTINCT network_id FROM ports WHERE host = ? ORDER BY network_id", [host])
    ]


def hosts_with_ports(tx: Transaction) -> set[str]:
    """The hosts to which any port is bound."""
    return {host for (host,) in tx.all("SELECT DISTINCT host FROM ports WHERE host IS NOT NULL")}


def ports_on(tx: Transaction, host: str) -> list[str]:
    """The servers' ports that are bound to a host."""
    rows = tx.all("SELECT id FROM ports WHERE host = ? AND device_owner LIKE 'compute:%' ORDER BY id", [host])
    return [port_id for (port_id,) in rows]


def limited(tx: Transaction, host: str) -> set[str]:
    """Those of the servers' ports on a host whose traffic is limited."""
    found = port_wishes(tx, ports_on(tx, host))
    return {wish.id for wish in found if wish.quality.egress is not None or wish.quality.ingress is not None}


def all_networks(tx: Transaction) -> list[str]:
    """The networks that exist."""
    return [network_id for (network_id,) in tx.all("SELECT id FROM networks ORDER BY id")]
