"""Locking servers against change (the actions lock and unlock)."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.call import Call
from minicloud.api.routes import Action
from minicloud.base.errors import Invalid
from minicloud.core.compute import locks, servers
from minicloud.core.policy import ADMIN, PROJECT_MEMBER_OR_ADMIN
from minicloud.core.records import Transaction

POLICY = "os_compute_api:os-lock-server"
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class _Why(msgspec.Struct, forbid_unknown_fields=True):
    locked_reason: Reason | UnsetType = UNSET


class _Lock(msgspec.Struct, forbid_unknown_fields=True):
    lock: _Why | None


async def lock(call: Call, server_id: str, body: bytes) -> None:
    """Lock; since 2.73 with a reason. Before, what stands in the body has no meaning."""
    reason = _reason(body) if call.at_least("2.73") else None
    await call.write(lambda tx: locks.lock(tx, call.context, server_id, reason))


def _reason(body: bytes) -> str | None:
    try:
        found = msgspec.json.decode(body, type=_Lock)
    except msgspec.ValidationError as error:
        raise Invalid(f"Invalid input for field/attribute lock. {error}", kind="body") from error
    return None if found.lock is None else found.lock.locked_reason or None


async def unlock(call: Call, server_id: str) -> None:
    """Unlock; what an administrator has locked, only an administrator unlocks."""

    def work(tx: Transaction) -> Any:
        server = servers.get(tx, call.context, server_id)
        if not locks.is_own(tx, call.context, server):
            call.enforce(f"{POLICY}:unlock:unlock_override")
        return locks.unlock(tx, call.context, server)

    await call.write(work)


routes = [
    Action("lock", lock, policy=f"{POLICY}:lock", allow=PROJECT_MEMBER_OR_ADMIN),
    Action("unlock", unlock, policy=f"{POLICY}:unlock", allow=PROJECT_MEMBER_OR_ADMIN, extra=[(f"{POLICY}:unlock:unlock_override", ADMIN)]),
]  # fmt: skip
