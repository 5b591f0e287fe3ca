"""What a port is used for beside a device: a trunk, which keeps it, or ports of floating addresses, which go with it."""

from collections.abc import Sequence

import msgspec

from minicloud.base.errors import Conflict
from minicloud.engines.database import Transaction


def refuse_deletion(tx: Transaction, port_id: str) -> None:
    """Raises Conflict when a port is a trunk's parent, or carried by one."""
    row = tx.one("SELECT id FROM trunks WHERE port_id = ?", [port_id])
    if row is not None:
        raise Conflict(f"Port {port_id} is currently a parent port for trunk {row[0]}.", kind="PortInUseAsTrunkParent")
    row = tx.one("SELECT trunk_id FROM trunk_subports WHERE port_id = ?", [port_id])
    if row is not None:
        raise Conflict(f"Port {port_id} is currently a subport for trunk {row[0]}.", kind="PortInUseAsSubPort")


def lead_no_more(tx: Transaction, port_id: str, kept: Sequence[str] = ()) -> None:
    """Ports of floating addresses do not lead to fixed ones that are gone; one that leads nowhere has no router."""
    gone = [
        row[0]
        for row in tx.all(
            "SELECT DISTINCT floatingip_id FROM port_forwardings WHERE internal_port_id = ? AND internal_ip_address "
            "NOT IN (SELECT value FROM json_each(?))",
            [port_id, msgspec.json.encode(list(kept)).decode()],
        )
    ]
    for floating_id in gone:
        tx.execute(
            "DELETE FROM port_forwardings WHERE floatingip_id = ? AND internal_port_id = ? AND internal_ip_address "
            "NOT IN (SELECT value FROM json_each(?))",
            [floating_id, port_id, msgspec.json.encode(list(kept)).decode()],
        )
        tx.execute(
            "UPDATE floating_ips SET router_id = NULL, status = 'DOWN', revision_number = revision_number + 1, "
            "updated_at = ? WHERE id = ? AND NOT EXISTS (SELECT 1 FROM port_forwardings WHERE floatingip_id = ?)",
            [tx.now, floating_id, floating_id],
        )
