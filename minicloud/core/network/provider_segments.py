"""What networks are made of below: a type, a physical network and a number, as an administrator says or the next free one."""

from collections.abc import Sequence

import msgspec

from minicloud.base.errors import Conflict, Invalid, Unavailable
from minicloud.engines.database import Transaction

TUNNELS = {"vxlan": 2**24 - 1, "geneve": 2**24 - 1, "gre": 2**32 - 1}
"""Types that tell networks apart by a number in every packet, and the largest one. Hosts carry them all alike."""
TYPES = (*TUNNELS, "flat", "vlan", "local")
OVERHEAD = {"vxlan": 50, "geneve": 58, "gre": 42}
"""Bytes that a tunnel puts around a packet, by upstream's reckoning; the rest of 1500 is left for what is inside."""
Segment = tuple[str, str | None, int | None]
"""Type, physical network and number."""


class SegmentWish(msgspec.Struct, frozen=True):
    """A segment that is asked for."""

    network_type: str | None = None
    physical_network: str | None = None
    segmentation_id: int | None = None


def mtu(network_type: str) -> int:
    """How large a packet may be on a network of a type where nobody says otherwise."""
    return 1500 - OVERHEAD.get(network_type, 0)


def choose_all(tx: Transaction, wishes: Sequence[SegmentWish]) -> list[Segment]:
    """Several segments for one network, none of them twice. Raises Invalid, Conflict."""
    found: list[Segment] = []
    for wish in wishes:
        segment = choose(tx, wish.network_type, wish.physical_network, wish.segmentation_id)
        while segment in found and wish.segmentation_id is None and segment[2] is not None:
            segment = (segment[0], segment[1], segment[2] + 1)
        if segment in found:
            raise Invalid("Duplicate segment entry in request.", kind="SegmentsContainDuplicateEntry")
        found.append(segment)
    return found


def choose(
    tx: Transaction, network_type: str | None, physical_network: str | None, segmentation_id: int | None
) -> tuple[str, str | None, int | None]:
    """What a new network is made of: as an administrator says, or the next tunnel."""
    kind = network_type or "vxlan"
    if network_type is None and (physical_network is not None or segmentation_id is not None):
        raise Invalid("Invalid input for operation: network_type required.", kind="InvalidInput")
    if kind not in TYPES:
        raise Invalid(f"Invalid input for operation: network_type value '{kind}' not supported.", kind="InvalidInput")
    if kind in ("flat", "vlan") and physical_network is None:
        raise Invalid(
            f"Invalid input for operation: physical_network required for {kind} provider network.", kind="InvalidInput"
        )
    if (kind in TUNNELS or kind == "local") and physical_network is not None:
        raise Invalid(
            f"Invalid input for operation: provider:physical_network specified for {kind} network.", kind="InvalidInput"
        )
    if kind in ("flat", "local") and segmentation_id is not None:
        raise Invalid(
            f"Invalid input for operation: provider:segmentation_id specified for {kind} network.", kind="InvalidInput"
        )
    if kind == "local":
        return kind, None, None
    if kind == "flat":
        if tx.one(
            "SELECT 1 FROM network_segments WHERE network_type = 'flat' AND COALESCE(physical_network, '') = ?",
            [physical_network],
        ):
            raise Conflict(
                f"Unable to create the flat network. Physical network {physical_network} is in use.",
                kind="FlatNetworkInUse",
            )
        return kind, physical_network, None
    largest = TUNNELS.get(kind, 4094)
    if segmentation_id is None:
        segmentation_id = _next_free(tx, kind, physical_network or "", largest)
    elif not 1 <= segmentation_id <= largest:
        raise Invalid(
            f"Invalid input for operation: segmentation_id out of range (1 through {largest}).", kind="InvalidInput"
        )
    elif tx.one(
        "SELECT 1 FROM network_segments WHERE network_type = ? AND COALESCE(physical_network, '') = ? AND segmentation_id = ?",
        [kind, physical_network or "", segmentation_id],
    ):
        if kind == "vlan":
            raise Conflict(
                f"Unable to create the network. The VLAN {segmentation_id} on physical network {physical_network} "
                "is in use.",
                kind="VlanIdInUse",
            )
        raise Conflict(
            f"Unable to create the network. The tunnel ID {segmentation_id} is in use.", kind="TunnelIdInUse"
        )
    return kind, physical_network, segmentation_id


def _next_free(tx: Transaction, kind: str, physical_network: str, largest: int) -> int:
    """The number after the largest one in use or, where that is the last, the lowest that is free. Raises Unavailable."""
    row = tx.one(
        "SELECT max(segmentation_id) FROM network_segments WHERE network_type = ? AND COALESCE(physical_network, '') = ?",
        [kind, physical_network],
    )
    last = 0 if row is None or row[0] is None else int(row[0])
    if last < largest:
        return last + 1
    row = tx.one(
        "SELECT min(free) FROM (SELECT 1 AS free UNION SELECT segmentation_id + 1 FROM network_segments "
        "WHERE network_type = ?1 AND COALESCE(physical_network, '') = ?2) "
        "WHERE free <= ?3 AND free NOT IN (SELECT segmentation_id FROM network_segments "
        "WHERE network_type = ?1 AND COALESCE(physical_network, '') = ?2)",
        [kind, physical_network, largest],
    )
    if row is None or row[0] is None:
        raise Unavailable(
            "Unable to create the network. No project network is available for allocation.", kind="NoNetworkAvailable"
        )
    return int(row[0])
