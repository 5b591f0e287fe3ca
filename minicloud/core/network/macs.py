"""MAC addresses of ports: unique on their network."""

from minicloud.base.errors import Conflict
from minicloud.engines.database import Transaction

BASE = "fa:16:3e"


def choose(tx: Transaction, network_id: str, wanted: str | None) -> str:
    """The MAC that is asked for, or a new one of ours. Raises Conflict (``MacAddressInUse``)."""
    if wanted is not None:
        refuse_taken(tx, network_id, wanted)
        return wanted
    while True:
        digits = tx.ids.hex()[-6:]
        mac = f"{BASE}:{digits[:2]}:{digits[2:4]}:{digits[4:]}"
        if not _taken(tx, network_id, mac):
            return mac


def _taken(tx: Transaction, network_id: str, mac: str) -> bool:
    return tx.one("SELECT 1 FROM ports WHERE network_id = ? AND mac_address = ?", [network_id, mac]) is not None


def refuse_taken(tx: Transaction, network_id: str, mac: str) -> None:
    """Raises Conflict (``MacAddressInUse``) when a port of the network has this MAC."""
    if _taken(tx, network_id, mac):
        raise Conflict(
            f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.",
            kind="MacAddressInUse",
        )
