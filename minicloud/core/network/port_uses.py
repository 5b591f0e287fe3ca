"""What a port is used for beside a device: trunks, which keep it from being deleted."""

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
