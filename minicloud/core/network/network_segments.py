"""Segments of networks as resources. The first one is the network's own; what else is added is recorded for administrators."""

from typing import Any, ClassVar

import msgspec

from minicloud.base.errors import Conflict, Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.network import provider_segments, standard
from minicloud.core.network.rows import Network, Subnet
from minicloud.core.network.standard import Part
from minicloud.engines.database import Transaction


class NetworkSegment(Part, kw_only=True):
    """A segment. ``position`` 0 is the one that the network itself shows."""

    TABLE = "network_segments"
    MISSING: ClassVar[str] = "Segment {id} could not be found."
    MISSING_KIND: ClassVar[str | None] = "SegmentNotFound"

    network_id: str
    name: str | None = None
    description: str | None = None
    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None
    position: int = 0
    revision_number: int = 0


def get(tx: Transaction, context: Context, segment_id: str) -> NetworkSegment:
    """A segment. Raises NotFound."""
    return records.get(tx, NetworkSegment, segment_id)


def page(tx: Transaction, context: Context, query: records.Query) -> list[NetworkSegment]:
    """A page of segments."""
    return records.page(tx, NetworkSegment, query)


def add(tx: Transaction, network_id: str, segment: provider_segments.Segment, **values: Any) -> NetworkSegment:
    """The record of a segment that was chosen, as the network's last one."""
    row = tx.one("SELECT max(position) FROM network_segments WHERE network_id = ?", [network_id])
    return records.insert(
        tx,
        NetworkSegment(
            id=tx.ids.uuid(),
            network_id=network_id,
            network_type=segment[0],
            physical_network=segment[1],
            segmentation_id=segment[2],
            position=0 if row is None or row[0] is None else int(row[0]) + 1,
            created_at=tx.now,
            updated_at=tx.now,
            **values,
        ),
    )


def create(
    tx: Transaction,
    context: Context,
    *,
    project_id: str,
    network_id: str,
    network_type: str,
    physical_network: str | None = None,
    segmentation_id: int | None = None,
    **values: Any,
) -> NetworkSegment:
    """A further segment of a network. Raises NotFound, Invalid, Conflict."""
    if records.find(tx, Network, network_id) is None:
        raise Network.missing(network_id)
    chosen = provider_segments.choose(tx, network_type, physical_network, segmentation_id)
    return add(tx, network_id, chosen, **values)


def change(tx: Transaction, context: Context, segment: NetworkSegment, **values: Any) -> NetworkSegment:
    """Rename or describe a segment."""
    return standard.change(tx, segment, **values)


def delete(tx: Transaction, context: Context, segment: NetworkSegment) -> None:
    """Delete a segment. Raises Conflict (``SegmentInUse``) while subnets are of it, or for a network's own one."""
    rows = tx.all("SELECT id FROM subnets WHERE segment_id = ? ORDER BY id", [segment.id])
    if rows:
        reason = f"The segment is still associated with subnet(s) {', '.join(row[0] for row in rows)}"
        raise _in_use(segment, reason)
    if segment.position == 0:
        raise _in_use(segment, "It is the network's own segment")
    records.remove(tx, segment)


def of_networks(tx: Transaction, network_ids: list[str]) -> dict[str, list[NetworkSegment]]:
    """The segments of those networks that have more than one, in order, by network."""
    rows = tx.all(
        "SELECT DISTINCT network_id FROM network_segments WHERE position > 0 AND network_id IN "
        "(SELECT value FROM json_each(?))",
        [msgspec.json.encode(network_ids).decode()],
    )
    if not rows:
        return {}
    found: dict[str, list[NetworkSegment]] = {}
    for segment in records.select_in(tx, NetworkSegment, "network_id", [row[0] for row in rows]):
        found.setdefault(segment.network_id, []).append(segment)
    for segments in found.values():
        segments.sort(key=lambda segment: segment.position)
    return found


def check_subnet(tx: Transaction, network_id: str, segment_id: str | None, subnet: Subnet | None = None) -> None:
    """Raises NotFound or Invalid where a subnet (None: a new one) may not be of a segment, or of none."""
    others = tx.all(
        "SELECT segment_id FROM subnets WHERE network_id = ? AND id <> ?", [network_id, subnet.id if subnet else ""]
    )
    if segment_id is None:
        if any(row[0] is not None for row in others):
            raise _mixed(network_id)
        return
    segment = records.get(tx, NetworkSegment, segment_id)
    if segment.network_id != network_id:
        raise Invalid(
            f"The subnet's network id, '{network_id}', doesn't match the network_id of segment '{segment_id}'",
            kind="NetworkIdsDontMatch",
        )
    if any(row[0] is None for row in others):
        raise _mixed(network_id)


def _mixed(network_id: str) -> Invalid:
    return Invalid(
        f"All of the subnets on network '{network_id}' must either all be associated with segments or all not associated "
        "with any segment.",
        kind="SubnetsNotAllAssociatedWithSegments",
    )


def _in_use(segment: NetworkSegment, reason: str) -> Conflict:
    return Conflict(f"Segment '{segment.id}' cannot be deleted: {reason}.", kind="SegmentInUse")
