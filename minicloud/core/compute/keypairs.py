"""Keypairs: public keys that a user may put into servers, known by their names."""

from typing import ClassVar

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import quota, records
from minicloud.engines.database import Transaction


class KeyPair(records.Record, kw_only=True):
    """A user's public key. ``type`` is ssh or x509."""

    TABLE = "keypairs"
    KEY: ClassVar[tuple[str, ...]] = ("user_id", "name")

    id: int
    user_id: str
    name: str
    type: str = "ssh"
    fingerprint: str
    public_key: str
    created_at: str


def get(tx: Transaction, user_id: str, name: str) -> KeyPair:
    """A user's keypair. Raises NotFound."""
    found = records.find(tx, KeyPair, user_id, name)
    if found is None:
        raise NotFound(f"Keypair {name} not found for user {user_id}")
    return found


def for_boot(tx: Transaction, user_id: str, name: str) -> KeyPair:
    """The keypair for a server. Raises Invalid, as a request for a server is answered."""
    found = records.find(tx, KeyPair, user_id, name)
    if found is None:
        raise Invalid("Invalid key_name provided.", kind="keypair", name=name)
    return found


def page(tx: Transaction, user_id: str, *, marker: str | None = None, limit: int | None = None) -> list[KeyPair]:
    """A user's keypairs by name, behind the marker. Raises Invalid when the marker names none."""
    if marker is not None and records.find(tx, KeyPair, user_id, marker) is None:
        raise Invalid(f"Marker {marker} could not be found.", kind="marker")
    where: list[records.Condition | records.AnyOf] = [records.Condition("user_id", "=", user_id)]
    if marker is not None:
        where.append(records.Condition("name", ">", marker))
    return records.page(tx, KeyPair, records.Query(where=where, sort=[("name", False)], limit=limit))


def create(
    tx: Transaction, *, project_id: str | None, user_id: str, name: str, kind: str, fingerprint: str, public_key: str
) -> KeyPair:
    """A new keypair of this user.

    Raises:
        Conflict: there is one of this name.
        OverQuota: the user has as many as the limit of the project in scope allows.
    """
    if project_id is not None:
        quota.check(tx, "compute", project_id, {"key_pairs": 1}, lambda: {"key_pairs": count(tx, user_id)})
    if records.find(tx, KeyPair, user_id, name) is not None:
        raise Conflict(f"Key pair '{name}' already exists.")
    row = tx.one("SELECT COALESCE(max(id), 0) + 1 FROM keypairs")
    assert row is not None
    trace.note("keypair_created", name=name, user=user_id, fingerprint=fingerprint)
    return records.insert(
        tx,
        KeyPair(
            id=int(row[0]),
            user_id=user_id,
            name=name,
            type=kind,
            fingerprint=fingerprint,
            public_key=public_key,
            created_at=tx.now,
        ),
    )


def count(tx: Transaction, user_id: str) -> int:
    """How many keypairs the user has."""
    return records.count(tx, KeyPair, [records.Condition("user_id", "=", user_id)])


def delete(tx: Transaction, user_id: str, name: str) -> None:
    """The keypair is gone; servers keep the key they have. Raises NotFound."""
    records.remove(tx, get(tx, user_id, name))
