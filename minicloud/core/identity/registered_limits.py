"""Registered limits: how much of a service's resource a project or domain may have where nothing else is said."""

from typing import Any

import msgspec

from minicloud.base.errors import Conflict, Forbidden
from minicloud.core import records
from minicloud.core.identity import wording
from minicloud.core.identity.catalog import Region, Service
from minicloud.core.records import Query
from minicloud.engines.database import Transaction


class RegisteredLimit(records.Record, kw_only=True):
    """A registered limit; ``default_limit`` -1 is without limit."""

    TABLE = "registered_limits"
    MISSING = "Could not find registered limit for {id}."

    id: str
    service_id: str
    region_id: str | None = None
    resource_name: str
    default_limit: int
    description: str | None = None


def page(tx: Transaction, query: Query) -> list[RegisteredLimit]:
    """One page of registered limits."""
    return records.page(tx, RegisteredLimit, query)


def get(tx: Transaction, id: str) -> RegisteredLimit:
    """The registered limit with this id. Raises NotFound."""
    return records.get(tx, RegisteredLimit, id)


def find(tx: Transaction, service_id: str, region_id: str | None, resource_name: str) -> RegisteredLimit | None:
    """The registered limit of a resource of a service, in a region or everywhere."""
    found = records.select(
        tx,
        RegisteredLimit,
        "service_id = ? AND COALESCE(region_id, '') = ? AND resource_name = ?",
        [service_id, region_id or "", resource_name],
    )
    return found[0] if found else None


def create(tx: Transaction, wanted: list[RegisteredLimit]) -> list[RegisteredLimit]:
    """Add registered limits. Raises Invalid when service or region are not there, Conflict for one that is there."""
    for limit in wanted:
        check_place(tx, limit.service_id, limit.region_id, "registered_limit")
    return [_stored(tx, limit) for limit in wanted]


def _stored(tx: Transaction, limit: RegisteredLimit) -> RegisteredLimit:
    try:
        return records.insert(tx, limit)
    except Conflict as error:
        raise _duplicate() from error


def _duplicate() -> Conflict:
    return Conflict("Conflict occurred attempting to store registered_limit - Duplicate entry.", kind="duplicate")


def check_place(tx: Transaction, service_id: str | None, region_id: str | None, target: str) -> None:
    """Raises Invalid when a service or region is not there."""
    if service_id is not None and records.find(tx, Service, service_id) is None:
        raise wording.expecting("service_id", target)
    if region_id is not None and records.find(tx, Region, region_id) is None:
        raise wording.expecting("region_id", target)


def update(tx: Transaction, id: str, changes: dict[str, Any]) -> RegisteredLimit:
    """Change one that no limit refers to. Raises NotFound, Invalid, Forbidden, Conflict."""
    old = get(tx, id)
    check_place(tx, changes.get("service_id"), changes.get("region_id"), "registered_limit")
    _require_unused(tx, old)
    if not changes:
        return old
    try:
        return records.change(tx, old, **changes)
    except Conflict as error:
        raise _duplicate() from error


def delete(tx: Transaction, id: str) -> None:
    """Remove one that no limit refers to. Raises NotFound, Forbidden."""
    old = get(tx, id)
    _require_unused(tx, old)
    records.remove(tx, old)


def _require_unused(tx: Transaction, limit: RegisteredLimit) -> None:
    if tx.one("SELECT 1 FROM limits WHERE registered_limit_id = ?", [limit.id]) is not None:
        raise Forbidden(
            f"Unable to update or delete registered limit {limit.id} because there are project limits associated with it."
        )


class Model(msgspec.Struct, frozen=True):
    """How limits are enforced."""

    name: str
    description: str


FLAT = Model("flat", "Limit enforcement and validation does not take project hierarchy into consideration.")
STRICT_TWO_LEVEL = Model("strict_two_level", "This model requires project hierarchy never exceeds a depth of two")
MODELS = {model.name: model for model in (FLAT, STRICT_TWO_LEVEL)}
