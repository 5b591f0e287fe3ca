"""Allocations: who has how much of what. All checks come before the first write, so a refusal leaves nothing half done.

``replace`` is the one way in which allocations come to be: for each consumer, what it has afterwards. A claim of the
conductor, PUT and POST of the API are all that. Amounts are checked against the tables in the writing transaction itself,
never against the index: however many claims run at once, no inventory is given away twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from minicloud.base import trace
from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.placement import changes, resource_classes
from minicloud.core.placement.resource_providers import CONCURRENT
from minicloud.engines.database import Row, Transaction

INSTANCE = "INSTANCE"
MIGRATION = "MIGRATION"

Allocations = Mapping[str, Mapping[str, int]]
"""Amounts by provider id and resource class."""


class Consumer(records.Record, kw_only=True):
    """Who has allocations: a server, a migration, whatever a client says. There is none without allocations."""

    TABLE = "placement_consumers"
    MISSING: ClassVar[str] = "No such consumer(s): {id}."

    id: str
    project_id: str
    user_id: str
    consumer_type: str | None = None
    generation: int
    created_at: str
    updated_at: str


class Allocation(msgspec.Struct, frozen=True, gc=False):
    """An amount that a consumer has of a provider. ``generation`` is the provider's."""

    consumer_id: str
    provider_id: str
    resource_class: str
    used: int
    generation: int
    created_at: str


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer is to have; empty allocations: nothing. ``consumer_type`` None leaves the type as it is.

    ``generation``: the consumer's as it was read, None for a consumer that must not exist yet, UNSET for not caring.
    """

    consumer_id: str
    project_id: str
    user_id: str
    allocations: Allocations
    consumer_type: str | None = None
    generation: int | msgspec.UnsetType | None = msgspec.UNSET


def claim(
    tx: Transaction,
    consumer_id: str,
    project_id: str,
    user_id: str,
    allocations: Allocations,
    *,
    consumer_type: str = INSTANCE,
) -> None:
    """Give a consumer these amounts instead of what it had.

    Raises Conflict (kind ``placement.undefined_code``) where there is not enough, or not in such portions: ``detail`` says
    of what, where, and the numbers. Raises Invalid for a provider that does not exist.
    """
    wish = Wish(
        consumer_id=consumer_id,
        project_id=project_id,
        user_id=user_id,
        allocations=allocations,
        consumer_type=consumer_type,
    )
    replace(tx, [wish])
    trace.note("claim", consumer=consumer_id, allocations={p: dict(amounts) for p, amounts in allocations.items()})


def free(tx: Transaction, consumer_id: str) -> bool:
    """Take everything from a consumer; whether it had anything."""
    had = tx.all(
        "SELECT provider_id, resource_class, used FROM placement_allocations WHERE consumer_id = ?", [consumer_id]
    )
    if had:
        tx.execute("DELETE FROM placement_allocations WHERE consumer_id = ?", [consumer_id])
        _move(tx, {(provider, name): -used for provider, name, used in had})
        changes.record(tx, dict.fromkeys(provider for provider, _, _ in had))
    tx.execute("DELETE FROM placement_consumers WHERE id = ?", [consumer_id])
    trace.note("freed", consumer=consumer_id, providers=sorted({provider for provider, _, _ in had}))
    return bool(had)


def hand_over(tx: Transaction, consumer_id: str, to: str, *, consumer_type: str) -> None:
    """Let another consumer, that has nothing yet, have all that this one has: a migration keeps a server's old place so.

    Raises NotFound where there is nothing to hand over, Conflict where the other one has something.
    """
    consumer = records.get(tx, Consumer, consumer_id)
    if records.find(tx, Consumer, to) is not None:
        raise Conflict(f"Consumer {to} has allocations already", kind=CONCURRENT)
    heir = consumer.with_(id=to, consumer_type=consumer_type, generation=1, created_at=tx.now, updated_at=tx.now)
    records.insert(tx, heir)
    tx.execute("UPDATE placement_allocations SET consumer_id = ? WHERE consumer_id = ?", [to, consumer_id])
    records.remove(tx, consumer)
    trace.note("handed_over", consumer=consumer_id, to=to)


def of_consumer(tx: Transaction, consumer_id: str) -> tuple[Consumer | None, list[Allocation]]:
    """A consumer with what it has; (None, []) where it has nothing."""
    consumer = records.find(tx, Consumer, consumer_id)
    return consumer, _allocations(
        tx.all(
            "SELECT a.consumer_id, a.provider_id, a.resource_class, a.used, p.generation, a.created_at "
            "FROM placement_allocations a JOIN placement_providers p ON p.id = a.provider_id "
            "WHERE a.consumer_id = ? ORDER BY a.position, a.provider_id, a.resource_class",
            [consumer_id],
        )
    )


def of_provider(tx: Transaction, provider_id: str) -> tuple[dict[str, Consumer], list[Allocation]]:
    """What is allocated of a provider, with the consumers by id."""
    found = _allocations(
        tx.all(
            "SELECT a.consumer_id, a.provider_id, a.resource_class, a.used, p.generation, a.created_at "
            "FROM placement_allocations a JOIN placement_providers p ON p.id = a.provider_id "
            "WHERE a.provider_id = ? ORDER BY a.consumer_id, a.resource_class",
            [provider_id],
        )
    )
    consumers = records.select_in(tx, Consumer, "id", {allocation.consumer_id for allocation in found})
    return {consumer.id: consumer for consumer in consumers}, found


def replace(tx: Transaction, wishes: Sequence[Wish]) -> None:
    """Give each consumer exactly what it is to have, all or nothing.

    Raises Conflict (``placement.concurrent_update``) for another generation of a consumer, Invalid for a provider that does
    not exist, NotFound for an unknown class, Conflict where an inventory does not allow it.
    """
    consumers = {wish.consumer_id: records.find(tx, Consumer, wish.consumer_id) for wish in wishes}
    for wish in wishes:
        _expect_generation(consumers[wish.consumer_id], wish.generation)
    _expect_providers(tx, {provider for wish in wishes for provider in wish.allocations})
    had: list[Row] = []
    for wish in wishes:
        if consumers[wish.consumer_id] is not None:
            had += tx.all(
                "SELECT provider_id, resource_class, used FROM placement_allocations WHERE consumer_id = ?",
                [wish.consumer_id],
            )
    delta: dict[tuple[str, str], int] = {}
    for provider, name, used in had:
        delta[provider, name] = delta.get((provider, name), 0) - used
    _check(tx, wishes, delta)
    new: list[tuple[str, str, str, int, int, str]] = []
    for wish in wishes:
        for provider, amounts in wish.allocations.items():
            for name, amount in amounts.items():
                delta[provider, name] = delta.get((provider, name), 0) + amount
                new.append((wish.consumer_id, provider, name, amount, len(new), tx.now))
    moving = {provider for wish in wishes for provider in wish.allocations}
    for wish in wishes:
        found = consumers[wish.consumer_id]
        _write_consumer(tx, wish, found)
        if not wish.allocations and found is not None:
            moving |= {provider for provider, _, _ in had}
    tx.many(
        "INSERT INTO placement_allocations (consumer_id, provider_id, resource_class, used, position, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        new,
    )
    _move(tx, delta)
    tx.many(
        "UPDATE placement_providers SET generation = generation + 1, updated_at = ? WHERE id = ?",
        [(tx.now, provider) for provider in moving],
    )
    changes.record(tx, dict.fromkeys([*moving, *(provider for provider, _ in delta)]))


def _expect_generation(consumer: Consumer | None, generation: int | msgspec.UnsetType | None) -> None:
    if generation is msgspec.UNSET:
        return
    if consumer is None and generation is not None:
        raise Conflict(f"consumer generation conflict - expected null but got {generation}", kind=CONCURRENT)
    if consumer is not None and consumer.generation != generation:
        raise Conflict(
            f"consumer generation conflict - expected {consumer.generation} but got {generation}", kind=CONCURRENT
        )


def _expect_providers(tx: Transaction, provider_ids: Iterable[str]) -> None:
    for provider in provider_ids:
        if tx.one("SELECT 1 FROM placement_providers WHERE id = ?", [provider]) is None:
            raise Invalid(f"Allocation for resource provider '{provider}' that does not exist.")


def _check(tx: Transaction, wishes: Sequence[Wish], returned: Mapping[tuple[str, str], int]) -> None:
    """Raises what keeps these wishes from being granted. ``returned`` are the (negative) amounts that their consumers had.

    An overfull inventory refuses more, but not a change that leaves it no fuller than it was.
    """
    inventories: dict[str, dict[str, Row]] = {}
    taken: dict[tuple[str, str], int] = {}
    for wish in wishes:
        for provider, amounts in wish.allocations.items():
            if provider not in inventories:
                rows = tx.all(
                    "SELECT resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, used "
                    "FROM placement_inventories WHERE provider_id = ?",
                    [provider],
                )
                inventories[provider] = {row[0]: row for row in rows}
            for name, amount in amounts.items():
                row = inventories[provider].get(name)
                if row is None:
                    resource_classes.require(tx, [name])
                    raise _refused(f"Inventory for '{name}' on resource provider '{provider}' invalid.", provider, name)
                _, total, reserved, min_unit, max_unit, step_size, ratio, used = row
                if not min_unit <= amount <= max_unit or amount % step_size:
                    raise _refused(
                        f"Unable to create allocation for '{name}' on resource provider '{provider}'. "
                        "The requested amount would violate inventory constraints.",
                        provider,
                        name,
                        requested=amount,
                        min_unit=min_unit,
                        max_unit=max_unit,
                        step_size=step_size,
                    )
                key = (provider, name)
                taken[key] = taken.get(key, 0) + amount
                after = used + returned.get(key, 0) + taken[key]
                capacity = (total - reserved) * ratio
                if after > capacity and not (used > 0 and after <= used):
                    raise _refused(
                        f"Unable to create allocation for '{name}' on resource provider '{provider}'. "
                        "The requested amount would exceed the capacity.",
                        provider,
                        name,
                        requested=amount,
                        used=used,
                        capacity=int(capacity),
                    )


def _refused(message: str, provider: str, resource_class: str, **numbers: int) -> Conflict:
    trace.note("claim_refused", provider=provider, resource_class=resource_class, why=message, **numbers)
    return Conflict(
        message, kind="placement.undefined_code", provider=provider, resource_class=resource_class, **numbers
    )


def _write_consumer(tx: Transaction, wish: Wish, found: Consumer | None) -> None:
    """The consumer as the wish has it, one generation later, and without its old allocations; gone if it is to have none."""
    if found is None:
        if wish.allocations:
            tx.execute(
                "INSERT INTO placement_consumers (id, project_id, user_id, consumer_type, generation, created_at, "
                "updated_at) VALUES (?, ?, ?, ?, 1, ?, ?)",
                [wish.consumer_id, wish.project_id, wish.user_id, wish.consumer_type, tx.now, tx.now],
            )
        return
    tx.execute("DELETE FROM placement_allocations WHERE consumer_id = ?", [wish.consumer_id])
    if not wish.allocations:
        tx.execute("DELETE FROM placement_consumers WHERE id = ?", [wish.consumer_id])
        return
    records.change(
        tx,
        found,
        project_id=wish.project_id,
        user_id=wish.user_id,
        consumer_type=wish.consumer_type or found.consumer_type,
        updated_at=tx.now,
    )


def _move(tx: Transaction, delta: Mapping[tuple[str, str], int]) -> None:
    """Keep ``used`` the sum of allocations."""
    tx.many(
        "UPDATE placement_inventories SET used = used + ? WHERE provider_id = ? AND resource_class = ?",
        [(amount, provider, name) for (provider, name), amount in delta.items() if amount],
    )


def _allocations(rows: list[Row]) -> list[Allocation]:
    return [Allocation(*row) for row in rows]


def require_some(tx: Transaction, consumer_id: str) -> None:
    """Raises NotFound where a consumer has nothing."""
    if tx.one("SELECT 1 FROM placement_allocations WHERE consumer_id = ? LIMIT 1", [consumer_id]) is None:
        raise NotFound(f"No allocations for consumer '{consumer_id}'")
