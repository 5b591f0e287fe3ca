"""Revocations: what made tokens void, for services that check tokens by themselves and ask from time to time."""

from datetime import timedelta

from minicloud.base.clock import moment, stamp
from minicloud.core import records
from minicloud.engines.database import Transaction

KEPT = timedelta(days=7)
"""How long a revocation is told: longer than any token lasts in practice."""


class Revocation(records.Record, kw_only=True):
    """All tokens that have what is set here, and were issued before a moment, are void."""

    TABLE = "revocation_events"

    id: str
    user_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    trust_id: str | None = None
    audit_id: str | None = None
    audit_chain_id: str | None = None
    issued_before: str


def note(tx: Transaction, **what: str) -> None:
    """Write down a revocation; old ones go."""
    tx.execute("DELETE FROM revocation_events WHERE issued_before < ?", [stamp(moment(tx.now) - KEPT)])
    records.insert(tx, Revocation(id=tx.ids.hex(), issued_before=tx.now, **what))


def since(tx: Transaction, when: str) -> list[Revocation]:
    """The revocations from a moment on, in order."""
    return records.select(tx, Revocation, "issued_before >= ? ORDER BY issued_before, id", [when])
