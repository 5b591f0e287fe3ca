"""Which addresses a port gets: from what was asked for, or from what its network offers; and taking them.

A port without wishes gets one address of the network's IPv4 subnets, one of the IPv6 subnets in which addresses are handed
out, and in every IPv6 subnet that lets cards make their own, the one that belongs to its MAC.
"""

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.network import ipam
from minicloud.core.network.rows import DHCP, ROUTER_INTERFACE, ROUTER_OWNERS, Port, Subnet
from minicloud.engines.database import Transaction


class FixedIp(msgspec.Struct, frozen=True):
    """An address of a port."""

    subnet_id: str
    ip_address: str


class FixedIpWish(msgspec.Struct, frozen=True):
    """An address that is asked for: in a subnet, a certain one, or both."""

    subnet_id: str | None = None
    ip_address: str | None = None


def subnets_of(tx: Transaction, network_id: str) -> list[Subnet]:
    """The subnets of a network, oldest first."""
    return records.select(tx, Subnet, "network_id = ? ORDER BY created_at, id", [network_id])


def network_of(subnet: Subnet) -> IPv4Network | IPv6Network:
    """A subnet's CIDR as a network."""
    return ipaddress.ip_network(subnet.cidr)


def assign(
    tx: Transaction,
    *,
    port_id: str,
    network_id: str,
    mac: str,
    device_owner: str,
    wishes: Sequence[FixedIpWish] | None,
    subnets: Sequence[Subnet] | None = None,
    first_position: int = 0,
) -> list[FixedIp]:
    """Take a port's addresses and write them down. ``wishes`` None takes what the network offers, [] takes none.

    Raises Conflict (``IpAddressGenerationFailure``, ``IpAddressAlreadyAllocated``), Invalid.
    """
    subnets = subnets_of(tx, network_id) if subnets is None else subnets
    taken: list[FixedIp] = []
    if any(subnet.service_types for subnet in subnets):
        subnets = _serving(subnets, network_id, device_owner)
    if wishes is None:
        for group in (
            [s for s in subnets if s.ip_version == 4],
            [s for s in subnets if s.ip_version == 6 and not s.automatic],
        ):
            if group:
                taken.append(_any_of(tx, network_id, group))
    else:
        # Those that are asked for by name first: they might be the next that others would get.
        order = sorted(range(len(wishes)), key=lambda number: wishes[number].ip_address is None)
        places: dict[int, FixedIp] = {}
        for number in order:
            wish = wishes[number]
            subnet = _subnet_of(wish, subnets, network_id, device_owner)
            automatic = subnet.automatic and device_owner not in ROUTER_OWNERS
            if automatic and wish.ip_address is None:
                continue  # below, with every other such subnet
            if wish.ip_address is None:
                places[number] = _any_of(tx, network_id, [subnet])
                continue
            if automatic and wish.ip_address != ipam.eui64(network_of(subnet), mac):
                raise Invalid(
                    f"IPv6 address {wish.ip_address} cannot be directly assigned to a port on subnet {subnet.id} as the "
                    "subnet is configured for automatic addresses",
                    kind="AllocationOnAutoAddressSubnet",
                )
            ipam.take(tx, subnet.id, wish.ip_address)
            places[number] = FixedIp(subnet.id, wish.ip_address)
        taken = [places[number] for number in sorted(places)]
    if device_owner not in ROUTER_OWNERS:
        had = {fixed.subnet_id for fixed in taken}
        for subnet in subnets:
            if subnet.automatic and subnet.id not in had:
                address = ipam.eui64(network_of(subnet), mac)
                ipam.take(tx, subnet.id, address)
                taken.append(FixedIp(subnet.id, address))
    write(tx, port_id, network_id, taken, first_position)
    return taken


def reassign(
    tx: Transaction, port: Port, held: list[FixedIp], wishes: Sequence[FixedIpWish]
) -> tuple[list[FixedIp], bool]:
    """Replace a port's addresses: those that are wished for again stay as they are. The addresses, and whether any changed."""
    left = list(held)
    kept: list[FixedIp] = []
    new: list[FixedIpWish] = []
    for wish in wishes:
        match = next(
            (
                fixed
                for fixed in left
                if (wish.ip_address is None or fixed.ip_address == wish.ip_address)
                and (wish.subnet_id is None or fixed.subnet_id == wish.subnet_id)
                and (wish.ip_address is not None or wish.subnet_id is not None)
            ),
            None,
        )
        if match is None:
            new.append(wish)
        else:
            left.remove(match)
            kept.append(match)
    if not left and not new:
        return held, False
    for fixed in left:
        if tx.one("SELECT 1 FROM floating_ips WHERE port_id = ? AND fixed_ip_address = ?", [port.id, fixed.ip_address]):
            raise Invalid(
                f"Bad port request: Cannot update the fixed_ips of the port {port.id}, because its original fixed_ip "
                "has been associated to a floating ip.",
                kind="BadRequest",
            )
    release(tx, held)
    again = [FixedIpWish(fixed.subnet_id, fixed.ip_address) for fixed in kept]
    return (
        assign(
            tx,
            port_id=port.id,
            network_id=port.network_id,
            mac=port.mac_address,
            device_owner=port.device_owner,
            wishes=[*again, *new],
        ),
        True,
    )


def write(tx: Transaction, port_id: str, network_id: str, taken: Sequence[FixedIp], first_position: int = 0) -> None:
    """The rows of addresses that were taken."""
    for position, fixed in enumerate(taken, start=first_position):
        tx.execute(
            "INSERT INTO ip_allocations (subnet_id, address, port_id, network_id, position) VALUES (?, ?, ?, ?, ?)",
            [fixed.subnet_id, fixed.ip_address, port_id, network_id, position],
        )


def release(tx: Transaction, held: Sequence[FixedIp]) -> None:
    """Give addresses back and delete their rows."""
    for subnet_id in dict.fromkeys(fixed.subnet_id for fixed in held):
        addresses = [fixed.ip_address for fixed in held if fixed.subnet_id == subnet_id]
        tx.many("DELETE FROM ip_allocations WHERE subnet_id = ? AND address = ?", [(subnet_id, a) for a in addresses])
        subnet = records.find(tx, Subnet, subnet_id)
        if subnet is not None:
            ipam.give_back(tx, subnet_id, subnet.allocation_pools, addresses)


def held_by(tx: Transaction, port_ids: Sequence[str]) -> dict[str, list[FixedIp]]:
    """The addresses of ports, in order, by port."""
    found: dict[str, list[tuple[int, FixedIp]]] = {}
    for row in records.select_in(tx, ipam.IpAllocation, "port_id", port_ids):
        found.setdefault(row.port_id, []).append((row.position, FixedIp(row.subnet_id, row.address)))
    return {port_id: [fixed for _, fixed in sorted(rows, key=lambda row: row[0])] for port_id, rows in found.items()}


def _serving(subnets: Sequence[Subnet], network_id: str, device_owner: str) -> list[Subnet]:
    """The subnets that are meant for devices of an owner; those that say nothing are meant for all, and come last.

    DHCP goes wherever it is wanted: who else would serve those for whom a subnet is meant?
    """
    dhcp = device_owner == DHCP
    meant = [s for s in subnets if device_owner in s.service_types or (dhcp and s.service_types and s.enable_dhcp)]
    found = [*meant, *(subnet for subnet in subnets if not subnet.service_types)]
    if not found:
        raise Conflict(
            f"No valid service subnet for the given device owner, network {network_id}, service type {device_owner}.",
            kind="IpAddressGenerationFailureNoMatchingSubnet",
        )
    return found


def _any_of(tx: Transaction, network_id: str, subnets: Sequence[Subnet]) -> FixedIp:
    for subnet in subnets:
        address = ipam.next_free(tx, subnet.id)
        if address is not None:
            return FixedIp(subnet.id, address)
    trace.note("addresses_exhausted", network=network_id, subnets=[subnet.cidr for subnet in subnets])
    raise Conflict(f"No more IP addresses available on network {network_id}.", kind="IpAddressGenerationFailure")


def _subnet_of(wish: FixedIpWish, subnets: Sequence[Subnet], network_id: str, device_owner: str) -> Subnet:
    if not subnets:
        raise _invalid("IP allocation requires subnets for network")
    if wish.subnet_id is not None:
        for subnet in subnets:
            if subnet.id == wish.subnet_id:
                if wish.ip_address is not None and not fits(subnet, wish.ip_address, device_owner):
                    raise Invalid(
                        f"IP address {wish.ip_address} is not a valid IP for the specified subnet.",
                        kind="InvalidIpForSubnet",
                    )
                return subnet
        raise _invalid(
            f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet {wish.subnet_id}"
        )
    if wish.ip_address is None:
        raise _invalid("IP allocation requires subnet_id or ip_address")
    for subnet in subnets:
        if fits(subnet, wish.ip_address, device_owner):
            return subnet
    raise Invalid(
        f"IP address {wish.ip_address} is not a valid IP for any of the subnets on the specified network.",
        kind="InvalidIpForNetwork",
    )


def fits(subnet: Subnet, text: str, device_owner: str = "") -> bool:
    """Whether an address may be a port's in a subnet; an IPv6 router may have the first one."""
    network, address = network_of(subnet), ipaddress.ip_address(text)
    if address.version != network.version or address not in network:
        return False
    if network.version == 4:
        return network.prefixlen > 30 or address not in (network.network_address, network.broadcast_address)
    return address != network.network_address or device_owner == ROUTER_INTERFACE or network.prefixlen == 128


def _invalid(text: str) -> Invalid:
    return Invalid(f"Invalid input for operation: {text}.", kind="InvalidInput")
