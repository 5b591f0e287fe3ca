"""Groups follow their members: whoever writes a volume's or a snapshot's status down moves its group in the same transaction."""

from minicloud.engines.database import Transaction

_AT_WORK = ("creating", "downloading", "restoring-backup")


def volume_moved(tx: Transaction, group_id: str) -> None:
    """A group that is being made is ``available`` when all its volumes are; one that is being deleted goes with its last."""
    row = tx.one("SELECT status FROM volume_groups WHERE id = ?", [group_id])
    if row is None or row[0] not in ("creating", "deleting"):
        return
    statuses = [found[0] for found in tx.all("SELECT status FROM volumes WHERE group_id = ?", [group_id])]
    if row[0] == "deleting" and not statuses:
        tx.execute("DELETE FROM volume_groups WHERE id = ?", [group_id])
    elif row[0] == "deleting" and "deleting" not in statuses:
        _write(tx, group_id, "error")
    elif row[0] == "creating" and not any(status in _AT_WORK for status in statuses):
        _write(tx, group_id, "error" if "error" in statuses else "available")


def _write(tx: Transaction, group_id: str, status: str) -> None:
    tx.execute("UPDATE volume_groups SET status = ?, updated_at = ? WHERE id = ?", [status, tx.now, group_id])


def snapshot_moved(tx: Transaction, group_snapshot_id: str) -> None:
    """As a group with its volumes, so a group's snapshot with the snapshots of its volumes."""
    row = tx.one("SELECT status FROM volume_group_snapshots WHERE id = ?", [group_snapshot_id])
    if row is None or row[0] not in ("creating", "deleting"):
        return
    found = tx.all("SELECT status FROM volume_snapshots WHERE group_snapshot_id = ?", [group_snapshot_id])
    statuses = [one[0] for one in found]
    if row[0] == "deleting" and not statuses:
        tx.execute("DELETE FROM volume_group_snapshots WHERE id = ?", [group_snapshot_id])
        return
    if row[0] in statuses:
        return
    good = row[0] == "creating" and "error" not in statuses
    tx.execute(
        "UPDATE volume_group_snapshots SET status = ?, updated_at = ? WHERE id = ?",
        ["available" if good else "error", tx.now, group_snapshot_id],
    )
