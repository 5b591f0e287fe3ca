"""The index follows the tables: own uncommitted changes are seen, changes rolled back are not, views stay what they are."""

import random
from pathlib import Path
from typing import Any

import pytest

from minicloud.base.clock import SystemClock
from minicloud.base.errors import CloudError
from minicloud.base.ids import SeededIds
from minicloud.core.placement import aggregates, allocations, inventories, resource_providers, traits
from minicloud.core.placement.index import Picture, Placement, picture_of, read_providers
from minicloud.core.placement.inventories import Stocked
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from minicloud.engines.database.migrate import migrate
from minicloud.engines.database.transaction import SqliteTransaction, connect
from tests.support.placement import a_provider

pytestmark = pytest.mark.anyio


class Undone(Exception):
    """A transaction that changes its mind."""


def contents(picture: Picture) -> dict[str, Any]:
    return {provider.id: provider for provider in picture.providers()}


def exact(placement: Placement, tx: Transaction) -> None:
    picture = placement.picture(tx)
    assert contents(picture) == read_providers(tx)
    assert len(picture) == len(contents(picture))
    fresh = picture_of(picture.providers()).structure
    names = {root: [picture.at(slot).id for slot in slots] for root, slots in picture.structure.members.items()}
    anew = picture_of(picture.providers())
    assert names == {root: [anew.at(slot).id for slot in slots] for root, slots in fresh.members.items()}
    assert [picture.at(slot).id for slot in picture.structure.sharing] == [anew.at(slot).id for slot in fresh.sharing]


async def test_a_writer_sees_its_own_changes_and_nobody_sees_those_it_rolled_back() -> None:
    database, placement = InlineDatabase(), Placement()
    await database.write(lambda tx: a_provider(tx, "kept"))

    def regretted(tx: Transaction) -> None:
        a_provider(tx, "regretted")
        assert [provider.name for provider in placement.picture(tx).providers()] == ["kept", "regretted"]
        raise Undone

    with pytest.raises(Undone):
        await database.write(regretted)

    def another(tx: Transaction) -> list[str]:
        a_provider(tx, "another")
        return [provider.name for provider in placement.picture(tx).providers()]

    assert await database.write(another) == ["kept", "another"]
    await database.read(lambda tx: exact(placement, tx))


def step(tx: Transaction, chance: random.Random) -> None:
    """Any change at all; what is refused is refused."""
    ids = [row[0] for row in tx.all("SELECT id FROM placement_providers ORDER BY id")]
    some = chance.choice(ids) if ids else ""
    match chance.randrange(9):
        case 0 | 1:
            a_provider(tx, f"n{chance.random()}", parent_id=chance.choice([None, *ids]))
        case 2:
            resource_providers.delete(tx, some)
        case 3:
            inventories.set_all(tx, some, {"VCPU": Stocked(total=chance.randint(1, 9))})
        case 4:
            traits.set_of_provider(tx, some, chance.sample(["HW_CPU_X86_VMX", "MISC_SHARES_VIA_AGGREGATE"], 1))
        case 5:
            aggregates.set_of_provider(tx, some, chance.sample(["a", "b", "c"], chance.randint(0, 3)))
        case 6:
            resource_providers.update(tx, some, f"m{chance.random()}", parent_id=chance.choice([None, *ids]))
        case 7:
            allocations.claim(tx, f"c{chance.randrange(4)}", "p", "u", {some: {"VCPU": 1}})
        case _:
            allocations.free(tx, f"c{chance.randrange(4)}")


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_transaction_gets_its_own_view(seed: int, tmp_path: Path) -> None:
    """A writer and a reader on connections of their own, random changes, savepoints and rollbacks as in a shared commit."""
    chance = random.Random(seed)
    path = str(tmp_path / "db")
    writer, reader = connect(path), connect(path)
    migrate(writer)
    placement, ids = Placement(), SeededIds(seed)
    open_view = False
    for _ in range(60):
        if chance.random() < 0.3:
            if open_view:
                reader.execute("ROLLBACK")
            reader.execute("BEGIN")
            open_view = True
        writer.execute("BEGIN IMMEDIATE")
        for _ in range(chance.randint(1, 4)):
            writer.execute("SAVEPOINT one")
            tx = SqliteTransaction(writer, SystemClock(), ids)
            kept = True
            try:
                for _ in range(chance.randint(1, 3)):
                    step(tx, chance)
                    if chance.random() < 0.5:
                        exact(placement, tx)
            except CloudError:
                kept = chance.random() < 0.5
            if not kept or chance.random() < 0.2:
                writer.execute("ROLLBACK TO one")
            writer.execute("RELEASE one")
            exact(placement, SqliteTransaction(writer, SystemClock(), ids))
        if open_view:
            exact(placement, SqliteTransaction(reader, SystemClock(), ids))
        writer.execute("ROLLBACK" if chance.random() < 0.3 else "COMMIT")
    if open_view:
        reader.execute("ROLLBACK")
    writer.close()
    reader.close()


async def test_used_is_the_sum_of_allocations_and_consumers_are_counted() -> None:
    database, placement = InlineDatabase(), Placement()

    def story(tx: Transaction) -> None:
        host = a_provider(tx, "host")
        allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 2, "MEMORY_MB": 1024}})
        allocations.claim(tx, "two", "p", "u", {host: {"VCPU": 1}})
        allocations.claim(tx, "one", "p", "u", {host: {"VCPU": 3}})
        found = placement.picture(tx)[host]
        assert (found.stocks["VCPU"].used, found.stocks["MEMORY_MB"].used, found.consumers) == (4, 0, 2)
        assert found.stocks["VCPU"].room == 4, "max_unit is the most of one piece"
        assert allocations.free(tx, "one")
        assert not allocations.free(tx, "one")
        assert placement.picture(tx)[host].stocks["VCPU"].used == 1

    await database.write(story)
