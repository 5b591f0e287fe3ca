"""Addresses of subnets: which are free, taking one and giving it back; none of it looks at more than a few rows.

Free addresses are kept as ranges. Taking the next one shortens the first range; taking a certain one splits the range that
holds it; giving one back joins it to its neighbours. An address outside of every pool is only ever taken by name.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import msgspec

from minicloud.base.errors import Conflict
from minicloud.core import records
from minicloud.engines.database import Transaction

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Pool(msgspec.Struct, frozen=True):
    """A range of addresses that may be handed out, both ends included."""

    start: str
    end: str


class IpAllocation(records.Record, kw_only=True):
    """An address that a port holds; ``position`` is its place among the port's addresses."""

    TABLE = "ip_allocations"
    KEY = ("subnet_id", "address")

    subnet_id: str
    address: str
    port_id: str
    network_id: str
    position: int = 0


def key(address: Address) -> str:
    """An address as text that sorts as the number does."""
    return f"{int(address):0{8 if address.version == 4 else 32}x}"


def address_of(key: str) -> Address:
    """The address of a key."""
    number = int(key, 16)
    return IPv4Address(number) if len(key) == 8 else IPv6Address(number)


def usable(network: Network) -> tuple[Address, Address]:
    """The first and last address of a subnet that a port may have."""
    first, last = network[0], network[-1]
    if network.version == 4:
        return (first + 1, last - 1) if network.prefixlen <= 30 else (first, last)
    return (first + 1, last) if network.prefixlen < 128 else (first, last)


def default_pools(network: Network, gateway: Address | None) -> list[Pool]:
    """All usable addresses but the gateway's."""
    first, last = usable(network)
    low, high = int(first), int(last)
    if gateway is None or not low <= int(gateway) <= high:
        return [Pool(str(first), str(last))]
    if first == last:
        return []
    pools = []
    if int(gateway) > low:
        pools.append(Pool(str(first), str(gateway - 1)))
    if int(gateway) < high:
        pools.append(Pool(str(gateway + 1), str(last)))
    return pools


def eui64(network: Network, mac: str) -> str:
    """The address that a card with this MAC gives itself in a /64."""
    digits = mac.replace(":", "")
    number = int(f"{digits[:6]}fffe{digits[6:]}", 16) ^ (1 << 57)
    return str(IPv6Address(int(network[0]) + number))


def subtract(pools: Sequence[tuple[int, int]], taken: Iterable[int]) -> list[tuple[int, int]]:
    """What is left of ranges, sorted and disjoint, once single numbers, sorted, are taken out of them."""
    left: list[tuple[int, int]] = []
    holes = iter(taken)
    hole = next(holes, None)
    for start, end in pools:
        while hole is not None and hole < start:
            hole = next(holes, None)
        while hole is not None and hole <= end:
            if start < hole:
                left.append((start, hole - 1))
            start = hole + 1
            hole = next(holes, None)
        if start <= end:
            left.append((start, end))
    return left


def fill(tx: Transaction, subnet_id: str, pools: Sequence[Pool]) -> None:
    """Set the free ranges of a subnet anew: its pools without what is taken. For a new subnet, or one whose pools changed."""
    bounds = sorted((ipaddress.ip_address(pool.start), ipaddress.ip_address(pool.end)) for pool in pools)
    joined: list[tuple[int, int]] = []
    for start, end in ((int(start), int(end)) for start, end in bounds):
        if joined and joined[-1][1] + 1 >= start:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    width = 8 if not bounds or bounds[0][0].version == 4 else 32
    taken = sorted(
        int(ipaddress.ip_address(row[0]))
        for row in tx.all("SELECT address FROM ip_allocations WHERE subnet_id = ?", [subnet_id])
    )
    tx.execute("DELETE FROM ip_ranges WHERE subnet_id = ?", [subnet_id])
    tx.many(
        "INSERT INTO ip_ranges (subnet_id, first, last) VALUES (?, ?, ?)",
        [(subnet_id, f"{first:0{width}x}", f"{last:0{width}x}") for first, last in subtract(joined, taken)],
    )


def has_room(tx: Transaction, subnet_id: str) -> bool:
    """Whether any address of the subnet's pools is free."""
    return tx.one("SELECT 1 FROM ip_ranges WHERE subnet_id = ? LIMIT 1", [subnet_id]) is not None


def next_free(tx: Transaction, subnet_id: str) -> str | None:
    """Take the lowest free address out of a subnet's pools; None when there is none."""
    row = tx.one("SELECT first, last FROM ip_ranges WHERE subnet_id = ? ORDER BY first LIMIT 1", [subnet_id])
    if row is None:
        return None
    first, last = row
    if first == last:
        tx.execute("DELETE FROM ip_ranges WHERE subnet_id = ? AND first = ?", [subnet_id, first])
    else:
        after = f"{int(first, 16) + 1:0{len(first)}x}"
        tx.execute("UPDATE ip_ranges SET first = ? WHERE subnet_id = ? AND first = ?", [after, subnet_id, first])
    return str(address_of(first))


def take(tx: Transaction, subnet_id: str, address: str) -> None:
    """Take a certain address out of the free ones, if it is in a pool at all. Raises Conflict when a port holds it."""
    if tx.one("SELECT 1 FROM ip_allocations WHERE subnet_id = ? AND address = ?", [subnet_id, address]) is not None:
        raise Conflict(
            f"IP address {address} already allocated in subnet {subnet_id}", kind="IpAddressAlreadyAllocated"
        )
    wanted = key(ipaddress.ip_address(address))
    row = tx.one(
        "SELECT first, last FROM ip_ranges WHERE subnet_id = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        [subnet_id, wanted],
    )
    if row is None or row[1] < wanted:
        return
    first, last = row
    tx.execute("DELETE FROM ip_ranges WHERE subnet_id = ? AND first = ?", [subnet_id, first])
    number, width = int(wanted, 16), len(wanted)
    if first < wanted:
        _insert(tx, subnet_id, first, f"{number - 1:0{width}x}")
    if wanted < last:
        _insert(tx, subnet_id, f"{number + 1:0{width}x}", last)


def give_back(tx: Transaction, subnet_id: str, pools: Sequence[Pool], addresses: Iterable[str]) -> None:
    """Make addresses free again that no row holds any more; those outside of the pools are only forgotten."""
    ranges = [(int(ipaddress.ip_address(pool.start)), int(ipaddress.ip_address(pool.end))) for pool in pools]
    for text in addresses:
        address = ipaddress.ip_address(text)
        number = int(address)
        if not any(low <= number <= high for low, high in ranges):
            continue
        width = 8 if address.version == 4 else 32
        first = last = f"{number:0{width}x}"
        before = tx.one(
            "SELECT first, last FROM ip_ranges WHERE subnet_id = ? AND first < ? ORDER BY first DESC LIMIT 1",
            [subnet_id, first],
        )
        after = tx.one(
            "SELECT last FROM ip_ranges WHERE subnet_id = ? AND first = ?", [subnet_id, f"{number + 1:0{width}x}"]
        )
        if after is not None:
            last = after[0]
            tx.execute(
                "DELETE FROM ip_ranges WHERE subnet_id = ? AND first = ?", [subnet_id, f"{number + 1:0{width}x}"]
            )
        if before is not None and int(before[1], 16) == number - 1:
            tx.execute("UPDATE ip_ranges SET last = ? WHERE subnet_id = ? AND first = ?", [last, subnet_id, before[0]])
        else:
            _insert(tx, subnet_id, first, last)


def _insert(tx: Transaction, subnet_id: str, first: str, last: str) -> None:
    tx.execute("INSERT INTO ip_ranges (subnet_id, first, last) VALUES (?, ?, ?)", [subnet_id, first, last])
