"""The index: all providers in memory as an immutable picture, exactly as the transaction at hand sees them.

A picture is named by the last change in it (number and token, see ``changes``). A transaction that asks for the index gets
a picture whose name is the last change that this very transaction sees: if none is at hand, the newest picture whose name
it also sees is taken, and the providers that changed since are read from its own tables. So a writer sees its own
uncommitted changes and those it shares a commit with; a reader on an older view gets an older picture; and a picture of
changes that were rolled back is never used again, because nobody sees the change that names it.

Pictures share what did not change: providers stand in slots, slots in small tuples.
"""

import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping

import msgspec

from minicloud.base import trace
from minicloud.core.placement import changes
from minicloud.core.placement.names import SHARES
from minicloud.engines.database import Row, Transaction

CHUNK = 64
PICTURES = 128
"""How many pictures are remembered: more than the writers that may share one commit."""


class Stock(msgspec.Struct, frozen=True, gc=False):
    """An inventory with what is used of it. ``room`` is the most that one more request could take."""

    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float
    used: int
    capacity: int
    room: int

    def fits(self, amount: int) -> bool:
        """Whether so much more may be allocated in one piece."""
        return self.min_unit <= amount <= self.room and amount % self.step_size == 0


def stock(
    total: int, reserved: int, min_unit: int, max_unit: int, step_size: int, allocation_ratio: float, used: int
) -> Stock:
    """A Stock from an inventory's columns."""
    capacity = int((total - reserved) * allocation_ratio)
    return Stock(
        total,
        reserved,
        min_unit,
        max_unit,
        step_size,
        allocation_ratio,
        used,
        capacity,
        min(capacity - used, max_unit),
    )


class Provider(msgspec.Struct, frozen=True):
    """A resource provider with all that a search asks of it. ``consumers`` counts who has allocations there.

    ``encoded`` keeps JSON that was made of it for answers, by form: it never changes, and is shown in thousands.
    """

    id: str
    name: str
    generation: int
    parent_id: str | None
    root_id: str
    stocks: dict[str, Stock]
    traits: frozenset[str]
    aggregates: frozenset[str]
    consumers: int
    created_at: str
    updated_at: str
    encoded: dict[str, str] = {}


_Chunk = tuple[Provider | None, ...]
_EMPTY: _Chunk = (None,) * CHUNK


class Structure:
    """What a picture knows beyond its providers one by one: trees, and who shares. Made when first asked for, kept while
    only amounts change. Slots are positions in ``Picture``, in order of appearance. ``suited`` remembers for searches which
    slots had the traits and aggregates that they asked for."""

    def __init__(self, providers: Iterable[tuple[int, Provider]]) -> None:
        self.members: dict[str, list[int]] = {}
        self.sharing: list[int] = []
        self.aggregates: dict[str, list[int]] = {}
        self.suited: dict[Hashable, list[int]] = {}
        for slot, provider in providers:
            self.members.setdefault(provider.root_id, []).append(slot)
            for aggregate in provider.aggregates:
                self.aggregates.setdefault(aggregate, []).append(slot)
            if SHARES in provider.traits:
                self.sharing.append(slot)
        self.nested = any(len(slots) > 1 for slots in self.members.values())


class Picture:
    """All providers at one moment, by id. Immutable."""

    __slots__ = ("_chunks", "_count", "_slots", "_structure", "change")

    def __init__(
        self,
        change: tuple[int, int],
        slots: dict[str, int],
        chunks: tuple[_Chunk, ...],
        count: int,
        structure: Structure | None,
    ) -> None:
        self.change = change
        self._slots = slots
        self._chunks = chunks
        self._count = count
        self._structure = structure

    def get(self, provider_id: str) -> Provider | None:
        """The provider, or None."""
        slot = self._slots.get(provider_id)
        if slot is None or slot >> 6 >= len(self._chunks):
            return None
        return self._chunks[slot >> 6][slot & 63]

    def __getitem__(self, provider_id: str) -> Provider:
        found = self.get(provider_id)
        if found is None:
            raise KeyError(provider_id)
        return found

    def __contains__(self, provider_id: str) -> bool:
        return self.get(provider_id) is not None

    def __len__(self) -> int:
        return self._count

    @property
    def worn(self) -> bool:
        """Whether so many providers came and went that it is better to begin a picture with new slots."""
        return len(self._slots) > 2 * self._count + 1024

    def providers(self) -> list[Provider]:
        """Every provider, in order of appearance."""
        return [provider for chunk in self._chunks for provider in chunk if provider is not None]

    def all_at(self, slots: Iterable[int]) -> Iterator[Provider]:
        """The providers in slots that the structure names."""
        chunks = self._chunks
        for slot in slots:
            found = chunks[slot >> 6][slot & 63]
            assert found is not None, "the structure and the providers of a picture belong together"
            yield found

    def at(self, slot: int) -> Provider:
        """The provider in a slot that the structure names."""
        found = self._chunks[slot >> 6][slot & 63]
        assert found is not None, "the structure and the providers of a picture belong together"
        return found

    @property
    def structure(self) -> Structure:
        """Trees and sharing. Two threads may both make it; they make the same."""
        made = self._structure
        if made is None:
            made = Structure(
                (number * CHUNK + i, provider)
                for number, chunk in enumerate(self._chunks)
                for i, provider in enumerate(chunk)
                if provider is not None
            )
            self._structure = made
        return made

    def changed(self, change: tuple[int, int], new: Mapping[str, Provider | None]) -> "Picture":
        """The picture after a change, with other providers (None: gone). Slots are handed out for all pictures alike, so
        only one thread may do this at a time."""
        chunks = list(self._chunks)
        count, structure = self._count, self._structure
        for provider_id, provider in new.items():
            old = self.get(provider_id)
            if not _same_shape(old, provider):
                structure = None
            count += (provider is not None) - (old is not None)
            if old is None and provider is None:
                continue
            slot = self._slots.setdefault(provider_id, len(self._slots))
            while slot >> 6 >= len(chunks):
                chunks.append(_EMPTY)
            chunk = list(chunks[slot >> 6])
            chunk[slot & 63] = provider
            chunks[slot >> 6] = tuple(chunk)
        return Picture(change, self._slots, tuple(chunks), count, structure)


def _same_shape(old: Provider | None, new: Provider | None) -> bool:
    """Whether the structure stays what it was."""
    if old is None or new is None:
        return old is new
    return old.root_id == new.root_id and old.aggregates == new.aggregates and old.traits == new.traits


def picture_of(providers: Iterable[Provider], change: tuple[int, int] = (0, 0)) -> Picture:
    """A picture of just these providers."""
    placed = list(providers)
    padded: list[Provider | None] = [*placed, *(None for _ in range(-len(placed) % CHUNK))]
    chunks = [tuple(padded[i : i + CHUNK]) for i in range(0, len(padded), CHUNK)]
    slots = {provider.id: i for i, provider in enumerate(placed)}
    return Picture(change, slots, tuple(chunks), len(placed), None)


class Placement:
    """The index of one cloud: built once by ``cloud.py`` and handed on. Any thread may ask."""

    def __init__(self) -> None:
        self._pictures: tuple[Picture, ...] = ()
        self._making = threading.Lock()

    def picture(self, tx: Transaction) -> Picture:
        """All providers as this transaction sees them, its own changes included."""
        change = changes.newest(tx)
        for known in self._pictures:
            if known.change == change:
                return known
        with self._making:
            made = self._made(tx, change)
            self._pictures = (made, *self._pictures[: PICTURES - 1])
        return made

    def _made(self, tx: Transaction, change: tuple[int, int]) -> Picture:
        for known in self._pictures:
            if known.change == change:
                return known
            if known.worn:
                continue
            if 0 < known.change[0] < change[0] and changes.happened(tx, known.change):
                touched = changes.since(tx, known.change)
                read = read_providers(tx, touched)
                return known.changed(change, {provider_id: read.get(provider_id) for provider_id in touched})
        with trace.span("placement_index") as facts:
            made = picture_of(read_providers(tx).values(), change)
            facts["providers"] = len(made)
        return made


def read_providers(tx: Transaction, ids: list[str] | None = None) -> dict[str, Provider]:
    """Providers from the tables: all of them in order of creation, or these."""
    if ids is None:
        rows = tx.all(
            "SELECT id, name, generation, parent_id, root_id, created_at, updated_at FROM placement_providers "
            "ORDER BY created_at, name"
        )
        stocks = tx.all(
            "SELECT provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, used "
            "FROM placement_inventories ORDER BY provider_id, resource_class"
        )
        traits = tx.all("SELECT provider_id, trait FROM placement_provider_traits ORDER BY provider_id")
        aggregates = tx.all("SELECT provider_id, aggregate_id FROM placement_provider_aggregates ORDER BY provider_id")
        consumers = tx.all(
            "SELECT provider_id, count(DISTINCT consumer_id) FROM placement_allocations GROUP BY provider_id"
        )
        return _put_together(rows, stocks, traits, aggregates, consumers)
    found: dict[str, Provider] = {}
    for provider_id in ids:
        key = [provider_id]
        row = tx.one(
            "SELECT id, name, generation, parent_id, root_id, created_at, updated_at FROM placement_providers WHERE id = ?",
            key,
        )
        if row is None:
            continue
        stocks = tx.all(
            "SELECT provider_id, resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, used "
            "FROM placement_inventories WHERE provider_id = ?",
            key,
        )
        traits = tx.all("SELECT provider_id, trait FROM placement_provider_traits WHERE provider_id = ?", key)
        aggregates = tx.all(
            "SELECT provider_id, aggregate_id FROM placement_provider_aggregates WHERE provider_id = ?", key
        )
        consumers = tx.all(
            "SELECT provider_id, count(DISTINCT consumer_id) FROM placement_allocations WHERE provider_id = ? "
            "GROUP BY provider_id",
            key,
        )
        found.update(_put_together([row], stocks, traits, aggregates, consumers))
    return found


def _put_together(
    rows: list[Row], stocks: list[Row], traits: list[Row], aggregates: list[Row], consumers: list[Row]
) -> dict[str, Provider]:
    stocks_of: dict[str, dict[str, Stock]] = {}
    for provider_id, resource_class, *columns in stocks:
        stocks_of.setdefault(provider_id, {})[resource_class] = stock(*columns)
    traits_of: dict[str, list[str]] = {}
    for provider_id, trait in traits:
        traits_of.setdefault(provider_id, []).append(trait)
    aggregates_of: dict[str, list[str]] = {}
    for provider_id, aggregate in aggregates:
        aggregates_of.setdefault(provider_id, []).append(aggregate)
    consumers_of: dict[str, int] = dict(consumers)
    # Hosts of one kind have the same traits: one set for all of them keeps an index of thousands small.
    sets: dict[frozenset[str], frozenset[str]] = {}

    def shared(names: list[str] | None) -> frozenset[str]:
        made = frozenset(names or ())
        return sets.setdefault(made, made)

    return {
        row[0]: Provider(
            id=row[0],
            name=row[1],
            generation=row[2],
            parent_id=row[3],
            root_id=row[4],
            stocks=stocks_of.get(row[0], {}),
            traits=shared(traits_of.get(row[0])),
            aggregates=shared(aggregates_of.get(row[0])),
            consumers=consumers_of.get(row[0], 0),
            created_at=row[5],
            updated_at=row[6],
        )
        for row in rows
    }
