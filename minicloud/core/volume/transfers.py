"""Transfers: a volume is offered, and whoever brings the key takes it over, with its snapshots if they go along."""

import hashlib
import hmac
import secrets
from typing import Any, ClassVar

from minicloud.base import trace
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.context import Context
from minicloud.core.records import Query
from minicloud.core.volume import quotas, snapshots, volumes
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

AWAITING = "awaiting-transfer"
_KEY_BYTES, _SALT_BYTES = 8, 8


class Transfer(records.Record, kw_only=True):
    """An offer. Of its key only a salted hash is kept."""

    TABLE = "volume_transfers"
    MISSING: ClassVar[str] = "Transfer {id} could not be found."

    id: str
    volume_id: str
    name: str | None = None
    salt: str
    key_hash: str
    no_snapshots: bool = False
    source_project_id: str
    destination_project_id: str | None = None
    accepted: bool = False
    created_at: str
    updated_at: str | None = None


def find(tx: Transaction, transfer_id: str) -> Transfer | None:
    """An offer that stands, whoever asks."""
    found = records.find(tx, Transfer, transfer_id)
    return None if found is None or found.accepted else found


def existing(tx: Transaction, transfer_id: str) -> Transfer:
    """An offer that stands, whoever asks. Raises NotFound."""
    found = find(tx, transfer_id)
    if found is None:
        raise Transfer.missing(transfer_id)
    return found


def get(tx: Transaction, context: Context, transfer_id: str) -> Transfer:
    """An offer of whoever asks. Raises NotFound."""
    found = existing(tx, transfer_id)
    if not context.sees(found.source_project_id):
        raise Transfer.missing(transfer_id)
    return found


def page(tx: Transaction, query: Query) -> list[Transfer]:
    """Offers that meet the query."""
    return records.page(tx, Transfer, query)


def offer(tx: Transaction, volume: Volume, *, name: str | None, no_snapshots: bool) -> tuple[Transfer, str]:
    """Offer a volume; the key is told once and never again. Raises Invalid when its status does not allow it."""
    if volume.status != volumes.AVAILABLE:
        raise volumes.refused("status must be available")
    for snapshot in () if no_snapshots else snapshots.of_volume(tx, volume.id):
        if snapshot.status != snapshots.AVAILABLE:
            raise Invalid(f"Invalid snapshot: snapshot: {snapshot.id} status must be available")
    volumes.move(tx, volume, AWAITING, [volumes.AVAILABLE], "")
    key, salt = secrets.token_hex(_KEY_BYTES), secrets.token_hex(_SALT_BYTES)
    made = Transfer(
        id=tx.ids.uuid(),
        volume_id=volume.id,
        name=name,
        salt=salt,
        key_hash=_hash(salt, key),
        no_snapshots=no_snapshots,
        source_project_id=volume.project_id,
        created_at=tx.now,
    )
    trace.note("transfer_offered", transfer=made.id, volume=volume.id)
    return records.insert(tx, made), key


def withdraw(tx: Transaction, transfer: Transfer) -> None:
    """The offer does not stand any more; the volume is its owner's as before."""
    volumes.settle(tx, transfer.volume_id, [AWAITING], status=volumes.AVAILABLE, previous_status=AWAITING)
    records.remove(tx, transfer)


def accept(tx: Transaction, context: Context, transfer: Transfer, key: str) -> Transfer:
    """The volume is the project's that asks. Raises Invalid (the key, the volume), OverQuota."""
    if not hmac.compare_digest(_hash(transfer.salt, key), transfer.key_hash):
        raise Invalid(f"Invalid auth key: Attempt to transfer {transfer.id} with invalid auth key.")
    volume = volumes.existing(tx, transfer.volume_id)
    if volume.status != AWAITING:
        raise volumes.refused(f"Volume {volume.id} is not awaiting a transfer: it is {volume.status}.")
    if volume.group_id is not None:
        raise volumes.refused(f"Volume {volume.id} must not be part of a consistency group.")
    mine = context.require_project()
    own = [] if transfer.no_snapshots else snapshots.of_volume(tx, volume.id)
    quotas.check_size(tx, mine, volume.size)
    room = volume.size + sum(snapshot.volume_size for snapshot in own)
    if mine != volume.project_id:
        quotas.check(tx, mine, type_id=volume.volume_type_id, volumes=1, snapshots=len(own), gigabytes=room)
    owner: dict[str, Any] = {"project_id": mine, "user_id": context.user_id}
    volumes.change(tx, volume, status=volumes.AVAILABLE, previous_status=AWAITING, **owner)
    for snapshot in own:
        snapshots.change(tx, snapshot, **owner)
    trace.note("transfer_accepted", transfer=transfer.id, volume=volume.id, project=mine)
    return records.change(tx, transfer, accepted=True, destination_project_id=mine, updated_at=tx.now)


def _hash(salt: str, key: str) -> str:
    return hmac.new(salt.encode(), key.encode(), hashlib.sha256).hexdigest()
