"""The order of changes: every write to a provider is written down, so that the index in memory can follow (see ``index``)."""

import secrets
from collections.abc import Iterable

from minicloud.engines.database import Transaction

KEPT = 20_000
"""How many changes stay written down. An index that is further behind reads everything again."""


def record(tx: Transaction, provider_ids: Iterable[str]) -> None:
    """Something about these providers changed. Called by each function that writes, after it wrote.

    The token is what makes a change itself and no other: after a rollback the next change takes over its number. It is drawn
    at random, not from the transaction's ids, because a repeatable id could come twice in one cloud's life.
    """
    rows = [(secrets.randbits(62), provider_id) for provider_id in provider_ids]
    tx.many(
        "INSERT INTO placement_changes (seq, token, provider_id) "
        "SELECT COALESCE(max(seq), 0) + 1, ?, ? FROM placement_changes",
        rows,
    )
    if any(token & 1023 == 0 for token, _ in rows):
        tx.execute("DELETE FROM placement_changes WHERE seq <= (SELECT max(seq) FROM placement_changes) - ?", [KEPT])


def newest(tx: Transaction) -> tuple[int, int]:
    """Number and token of the last change that this transaction sees; (0, 0) before the first."""
    row = tx.one("SELECT seq, token FROM placement_changes ORDER BY seq DESC LIMIT 1")
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def happened(tx: Transaction, change: tuple[int, int]) -> bool:
    """Whether this transaction sees that very change, and hence every change before it."""
    row = tx.one("SELECT token FROM placement_changes WHERE seq = ?", [change[0]])
    return row is not None and int(row[0]) == change[1]


def since(tx: Transaction, change: tuple[int, int]) -> list[str]:
    """The providers that changed after a change."""
    return [row[0] for row in tx.all("SELECT DISTINCT provider_id FROM placement_changes WHERE seq > ?", [change[0]])]
