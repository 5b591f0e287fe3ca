"""Claims: exact under concurrency, refused with the numbers, and without a trace of themselves when refused."""

from pathlib import Path

import anyio
import pytest

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.base.trace import Recording, recording
from minicloud.core.placement import allocations, inventories
from minicloud.core.placement.allocation_candidates import Group, Request, search
from minicloud.core.placement.allocations import Wish
from minicloud.core.placement.index import Placement
from minicloud.core.placement.inventories import Stocked
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.database.sqlite import SqliteDatabase
from tests.support.placement import a_provider

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_five_hundred_claims_at_once_never_over_allocate(tmp_path: Path) -> None:
    database, placement = await SqliteDatabase.open(str(tmp_path / "db")), Placement()
    hosts = [
        await database.write(lambda tx, i=i: a_provider(tx, f"host{i}", {"VCPU": Stocked(total=37)}))  # type: ignore[misc]
        for i in range(10)
    ]
    outcomes: list[str] = []

    def claim(tx: Transaction, consumer: str) -> str:
        """As the conductor does it: choose from the index, claim in the tables, in one transaction."""
        found = search(placement.picture(tx), Request(groups={"": Group(resources={"VCPU": 1})}, limit=1))
        if not found:
            return "none"
        allocations.claim(tx, consumer, "p", "u", found[0].allocations)
        return "claimed"

    async def blind(consumer: str) -> None:
        """As a client does it, that read some time ago where there was room."""
        try:
            await database.write(lambda tx: allocations.claim(tx, consumer, "p", "u", {hosts[0]: {"VCPU": 3}}))
            outcomes.append("blind")
        except Conflict:
            outcomes.append("refused")

    async def choose(consumer: str) -> None:
        outcomes.append(await database.write(lambda tx: claim(tx, consumer)))

    async with anyio.create_task_group() as group:
        for i in range(500):
            group.start_soon(choose, f"c{i}")
            if i % 10 == 0:
                group.start_soon(blind, f"b{i}")

    def count(tx: Transaction) -> None:
        rows = tx.all(
            "SELECT i.provider_id, i.used, i.total, (SELECT sum(a.used) FROM placement_allocations a "
            "WHERE a.provider_id = i.provider_id AND a.resource_class = i.resource_class) FROM placement_inventories i"
        )
        assert all(used <= total and used == (allocated or 0) for _, used, total, allocated in rows)
        assert sum(used for _, used, _, _ in rows) == outcomes.count("claimed") + 3 * outcomes.count("blind")
        left = sum(total - used for _, used, total, _ in rows)
        assert left == 0, "someone was refused although there was room"

    await database.read(count)
    assert len(outcomes) == 550
    await database.close()


async def test_a_refusal_says_the_numbers_and_leaves_nothing() -> None:
    database = InlineDatabase()
    trace = Recording()

    def story(tx: Transaction) -> None:
        host = a_provider(tx, "host", {"VCPU": Stocked(total=4, max_unit=3, step_size=1)})
        full = a_provider(tx, "full", {"VCPU": Stocked(total=1)})
        allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 3}})
        before = tx.all("SELECT * FROM placement_allocations"), tx.all("SELECT * FROM placement_inventories")
        with pytest.raises(Conflict, match="would exceed the capacity") as refused:
            allocations.claim(tx, "two", "p", "u", {full: {"VCPU": 1}, host: {"VCPU": 2}})
        assert refused.value.kind == "placement.undefined_code"
        assert refused.value.detail == {
            "provider": host,
            "resource_class": "VCPU",
            "requested": 2,
            "used": 3,
            "capacity": 4,
        }
        with pytest.raises(Conflict, match="would violate inventory constraints"):
            allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 4}})
        with pytest.raises(Conflict, match="Inventory for 'MEMORY_MB' on resource provider"):
            allocations.claim(tx, "two", "p", "u", {host: {"MEMORY_MB": 4}})
        with pytest.raises(NotFound, match="No such resource class NONSENSE"):
            allocations.claim(tx, "two", "p", "u", {host: {"NONSENSE": 4}})
        with pytest.raises(Invalid, match="that does not exist"):
            allocations.claim(tx, "two", "p", "u", {"nowhere": {"VCPU": 1}})
        assert before == (tx.all("SELECT * FROM placement_allocations"), tx.all("SELECT * FROM placement_inventories"))
        assert allocations.of_consumer(tx, "two") == (None, [])

    with recording(trace):
        await database.write(story)
    assert trace.facts("claim_refused")[0]["used"] == 3


async def test_an_overfull_inventory_may_get_emptier_but_not_fuller() -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> None:
        host = a_provider(tx, "host", {"VCPU": Stocked(total=8)})
        allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 8}})
        inventories.set_all(tx, host, {"VCPU": Stocked(total=4)})
        allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 6}})
        with pytest.raises(Conflict, match="exceed the capacity"):
            allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 7}})
        with pytest.raises(Conflict, match="in use"):
            inventories.set_all(tx, host, {})

    await database.write(story)


async def test_consumer_generations_tell_who_came_second() -> None:
    database = InlineDatabase()

    def wish(host: str, generation: int | None, amount: int = 1) -> Wish:
        return Wish(
            consumer_id="one",
            project_id="p",
            user_id="u",
            allocations={host: {"VCPU": amount}} if amount else {},
            generation=generation,
        )

    def story(tx: Transaction) -> None:
        host = a_provider(tx, "host")
        with pytest.raises(Conflict, match="expected null but got 3"):
            allocations.replace(tx, [wish(host, 3)])
        allocations.replace(tx, [wish(host, None)])
        with pytest.raises(Conflict, match="expected 1 but got None") as refused:
            allocations.replace(tx, [wish(host, None)])
        assert refused.value.kind == "placement.concurrent_update"
        allocations.replace(tx, [wish(host, 1, 2)])
        consumer, had = allocations.of_consumer(tx, "one")
        assert consumer is not None
        assert (consumer.generation, [one.used for one in had]) == (2, [2])
        allocations.replace(tx, [wish(host, 2, 0)])
        assert allocations.of_consumer(tx, "one") == (None, [])

    await database.write(story)


async def test_a_migration_takes_over_what_a_server_has() -> None:
    database = InlineDatabase()

    def story(tx: Transaction) -> None:
        source, target = a_provider(tx, "source", {"VCPU": Stocked(total=1)}), a_provider(tx, "target")
        allocations.claim(tx, "server", "p", "u", {source: {"VCPU": 1}})
        allocations.hand_over(tx, "server", "migration", consumer_type=allocations.MIGRATION)
        allocations.claim(tx, "server", "p", "u", {target: {"VCPU": 1}})
        consumer, had = allocations.of_consumer(tx, "migration")
        assert consumer is not None
        assert (consumer.consumer_type, [one.provider_id for one in had]) == ("MIGRATION", [source])
        with pytest.raises(Conflict):
            allocations.hand_over(tx, "server", "migration", consumer_type=allocations.MIGRATION)

    await database.write(story)
