"""Records: rows as structs and back, swaps that only one can win, conditions, and nothing that a client says becomes SQL."""

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.records import AllOf, AnyOf, Condition, Query
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio
SCHEMA = """CREATE TABLE animals (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, legs INTEGER NOT NULL, weight REAL, tame INTEGER NOT NULL, wild INTEGER,
    kind TEXT NOT NULL, tags TEXT NOT NULL, owner TEXT, "order" TEXT NOT NULL, generation INTEGER NOT NULL)"""
PLAIN = "CREATE TABLE plain (owner TEXT NOT NULL, number INTEGER NOT NULL, note TEXT, PRIMARY KEY (owner, number))"


class Owner(msgspec.Struct, frozen=True):
    """A part that is kept as JSON."""

    name: str
    since: int = 0


class Animal(records.Record, kw_only=True):
    """Every kind of column."""

    TABLE = "animals"
    MISSING = "Animal {id} could not be found."
    MISSING_KIND = "AnimalNotFound"

    id: str
    name: str
    legs: int = 4
    weight: float | None = None
    tame: bool = True
    wild: bool | None = None
    kind: Literal["cat", "dog"] = "cat"
    tags: list[str] = []
    owner: Owner | None = None
    order: str = ""
    generation: int = 0


class Plain(records.Record, kw_only=True):
    """A key of two columns, and no generation."""

    TABLE = "plain"
    KEY = ("owner", "number")

    owner: str
    number: int
    note: str | None = None


@pytest.fixture
async def database() -> InlineDatabase:
    made = InlineDatabase()
    for table in (SCHEMA, PLAIN):
        await made.write(lambda tx, sql=table: tx.execute(sql))  # type: ignore[misc]
    return made


ANIMALS = [
    Animal(id="1", name="Tom", weight=4.5, tags=["grey", "fast"], owner=Owner("Ann", 3), wild=False),
    Animal(id="2", name="Rex", kind="dog", tame=False, wild=True),
    Animal(id="3", name="tom_2", legs=3, tags=["a%b"]),
    Animal(id="4", name="tomX2", weight=4.5),
]


@pytest.fixture
async def zoo(database: InlineDatabase) -> InlineDatabase:
    await database.write(lambda tx: [records.insert(tx, animal) for animal in ANIMALS])
    return database


async def found(database: InlineDatabase, *where: Condition | AnyOf, **query: Any) -> list[str]:
    """The ids of a page."""
    return [a.id for a in await database.read(lambda tx: records.page(tx, Animal, Query(where=list(where), **query)))]


async def test_what_is_written_is_what_is_read(zoo: InlineDatabase) -> None:
    for animal in ANIMALS:
        assert await zoo.read(lambda tx, a=animal: records.get(tx, Animal, a.id)) == animal  # type: ignore[misc]
    assert await zoo.read(lambda tx: records.find(tx, Animal, "9")) is None
    with pytest.raises(NotFound, match=r"Animal 9 could not be found\.") as caught:
        await zoo.read(lambda tx: records.get(tx, Animal, "9"))
    assert caught.value.kind == "AnimalNotFound"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(deadline=None)
@given(
    texts,
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none() | st.booleans(),
    st.lists(texts, max_size=3),
    st.none() | st.builds(Owner, texts, st.integers(-(2**53), 2**53)),
)
def test_any_value_comes_back_as_it_was(
    name: str, legs: int, weight: float | None, tame: bool, wild: bool | None, tags: list[str], owner: Owner | None
) -> None:
    animal = Animal(id="1", name=name, legs=legs, weight=weight, tame=tame, wild=wild, tags=tags, owner=owner)

    async def there_and_back() -> None:
        database = InlineDatabase()
        await database.write(lambda tx: tx.execute(SCHEMA))
        await database.write(lambda tx: records.insert(tx, animal))
        assert await database.read(lambda tx: records.get(tx, Animal, "1")) == animal
        changed = await database.write(lambda tx: records.change(tx, animal, name=name + "x", tags=[*tags, name]))
        assert await database.read(lambda tx: records.get(tx, Animal, "1")) == changed

    coroutine = there_and_back()
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_only_one_of_two_wins_a_swap(zoo: InlineDatabase) -> None:
    read = await zoo.read(lambda tx: records.get(tx, Animal, "1"))
    first = await zoo.write(lambda tx: records.change(tx, read, name="first", owner=None))
    assert (first.name, first.owner, first.generation) == ("first", None, 1)
    with pytest.raises(Conflict, match="was changed by another request; read it again") as caught:
        await zoo.write(lambda tx: records.change(tx, read, name="second"))
    assert caught.value.kind == "stale"
    assert await zoo.read(lambda tx: records.get(tx, Animal, "1")) == first
    assert read.name == "Tom", "the record that was read is not changed"
    assert (await zoo.write(lambda tx: records.change(tx, first, name="third"))).generation == 2
    await zoo.write(lambda tx: records.remove(tx, first))
    with pytest.raises(NotFound):
        await zoo.write(lambda tx: records.change(tx, first, name="fourth"))
    await zoo.write(lambda tx: records.remove(tx, first))


async def test_without_a_generation_the_last_one_wins(database: InlineDatabase) -> None:
    row = await database.write(lambda tx: records.insert(tx, Plain(owner="o", number=1)))
    await database.write(lambda tx: records.insert(tx, Plain(owner="o", number=2)))
    for note in ("a", "b"):
        await database.write(lambda tx, n=note: records.change(tx, row, note=n))  # type: ignore[misc]
    assert (await database.read(lambda tx: records.get(tx, Plain, "o", 1))).note == "b"
    assert (await database.read(lambda tx: records.get(tx, Plain, "o", 2))).note is None
    with pytest.raises(Conflict):
        await database.write(lambda tx: records.insert(tx, Plain(owner="o", number=1)))


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ([], "1234"),
        ([Condition("name", "=", "Tom")], "1"),
        ([Condition("name", "!=", "Tom")], "234"),
        ([Condition("legs", "<", 4)], "3"),
        ([Condition("legs", ">=", 4), Condition("tame", "=", True)], "14"),
        ([Condition("id", "in", ["1", "3", "9"])], "13"),
        ([Condition("id", "in", [])], ""),
        ([Condition("id", "not in", ["1", "3"])], "24"),
        ([Condition("name", "like", "tom\\_2")], "3"),
        ([Condition("name", "like", "tom_2")], "34"),
        ([Condition("name", "matches", "^[tT]om")], "134"),
        ([Condition("name", "matches", "om")], "134"),
        ([Condition("name", "matches", "TOM")], ""),
        ([Condition("name", "matches", "")], "1234"),
        ([Condition("legs", "matches", "3")], "3"),
        ([Condition("legs", "matches", "^[34]$")], "1234"),
        ([Condition("owner", "matches", "")], "1"),
        ([Condition("owner", "matches", "name.*Ann")], "1"),
        ([Condition("weight", "is null")], "23"),
        ([Condition("weight", "is not null")], "14"),
        ([Condition("tags", "has", "grey")], "1"),
        ([Condition("tags", "has", "a%b")], "3"),
        ([Condition("tags", "has not", "grey")], "234"),
        ([Condition("order", "=", "")], "1234"),
        ([AnyOf([Condition("id", "=", "1"), Condition("kind", "=", "dog")])], "12"),
        (
            [AnyOf([AllOf([Condition("legs", "=", 4), Condition("weight", "is null")]), Condition("id", "=", "3")])],
            "23",
        ),
        ([AnyOf([])], ""),
        ([AnyOf([AllOf([])])], "1234"),
    ],
)
async def test_conditions(zoo: InlineDatabase, where: list[Condition | AnyOf], ids: str) -> None:
    assert "".join(sorted(await found(zoo, *where))) == ids
    assert await zoo.read(lambda tx: records.count(tx, Animal, where)) == len(ids)


async def test_order_puts_what_is_not_there_first(zoo: InlineDatabase) -> None:
    assert await found(zoo, sort=[("weight", False)]) == ["2", "3", "1", "4"]
    assert await found(zoo, sort=[("weight", True)]) == ["4", "1", "3", "2"]
    assert await found(zoo, sort=[("weight", False)], marker="3") == ["1", "4"]
    assert await found(zoo, sort=[("weight", True)], limit=2) == ["4", "1"]
    assert await found(zoo, limit=0) == []


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        (Query(where=[Condition("nothing", "=", 1)]), "filter"),
        (Query(where=[Condition('id" OR 1=1 --', "=", 1)]), "filter"),
        (Query(sort=[("nothing", False)]), "sort_key"),
        (Query(sort=[('id"; DROP TABLE animals; --', False)]), "sort_key"),
        (Query(marker="9"), "marker"),
        (Query(where=[Condition("name", "matches", "(")]), "filter"),
        (Query(where=[Condition("name", "matches", "(" * 5000 + ")" * 5000)]), "filter"),
    ],
)
async def test_what_is_no_column_or_pattern_is_refused(zoo: InlineDatabase, query: Query, kind: str) -> None:
    with pytest.raises(Invalid) as caught:
        await zoo.read(lambda tx: records.page(tx, Animal, query))
    assert caught.value.kind == kind


@settings(deadline=None)
@given(texts)
def test_no_text_is_ever_anything_but_a_text(text: str) -> None:
    async def ask() -> None:
        database = InlineDatabase()
        await database.write(lambda tx: tx.execute(SCHEMA))
        await database.write(lambda tx: records.insert(tx, Animal(id="1", name=text)))
        assert await found(database, Condition("name", "=", text)) == ["1"]
        assert await found(database, Condition("name", "in", [text])) == ["1"]
        assert await found(database, Condition("name", "!=", text)) == []

    coroutine = ask()
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_select_in_takes_any_number_of_values(zoo: InlineDatabase) -> None:
    many = [str(n) for n in range(5000)]
    rows = await zoo.read(lambda tx: records.select_in(tx, Animal, "id", many))
    assert sorted(row.id for row in rows) == ["1", "2", "3", "4"]
