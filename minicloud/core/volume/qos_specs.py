"""QoS specs: how fast volumes of the types that they are associated with may be, held by the guest's host or by the backend."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

from minicloud.base.errors import Conflict, Invalid, NotFound
from minicloud.core import records
from minicloud.core.records import Query
from minicloud.core.volume import types
from minicloud.core.volume.types import VolumeType
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction

CONSUMERS = ("front-end", "back-end", "both")


class QosSpecs(records.Record, kw_only=True):
    """A set of specs. ``consumer`` says who holds volumes to them: front-end is the hypervisor."""

    TABLE = "volume_qos_specs"
    MISSING: ClassVar[str] = "No such QoS spec {id}."

    id: str
    name: str
    consumer: str = "back-end"
    specs: dict[str, str] = {}
    created_at: str
    updated_at: str | None = None


def get(tx: Transaction, specs_id: str) -> QosSpecs:
    """One set. Raises NotFound."""
    return records.get(tx, QosSpecs, specs_id)


def page(tx: Transaction, query: Query) -> list[QosSpecs]:
    """Sets that meet the query."""
    return records.page(tx, QosSpecs, query)


def find(tx: Transaction, specs_id: str) -> QosSpecs | None:
    """One set, or None."""
    return records.find(tx, QosSpecs, specs_id)


def create(tx: Transaction, name: str, consumer: str | None, specs: Mapping[str, str]) -> QosSpecs:
    """A new set. Raises Conflict when the name is taken."""
    if records.select(tx, QosSpecs, "name = ?", [name]):
        raise Conflict(f"QoS Specs {name} already exists.")
    made = QosSpecs(
        id=tx.ids.uuid(), name=name, consumer=_fit(consumer or "back-end"), specs=dict(specs), created_at=tx.now
    )
    return records.insert(tx, made)


def change(tx: Transaction, found: QosSpecs, consumer: str | None, specs: Mapping[str, str]) -> QosSpecs:
    """Further or other specs. Raises Invalid."""
    return records.change(
        tx, found, consumer=_fit(consumer or found.consumer), specs={**found.specs, **specs}, updated_at=tx.now
    )


def _fit(consumer: str) -> str:
    if consumer not in CONSUMERS:
        raise Invalid(f"Invalid qos specs: Valid consumer of QoS specs are: {list(CONSUMERS)}")
    return consumer


def drop_keys(tx: Transaction, found: QosSpecs, keys: Iterable[str]) -> QosSpecs:
    """Without these specs. Raises NotFound for one that is not there."""
    kept = dict(found.specs)
    for key in keys:
        if key not in kept:
            raise NotFound(f"QoS spec {found.id} has no spec with key {key}.")
        del kept[key]
    return records.change(tx, found, specs=kept, updated_at=tx.now)


def delete(tx: Transaction, found: QosSpecs, *, force: bool) -> None:
    """The set is gone; with ``force`` also from types. Raises Invalid while a type has it."""
    if associations(tx, found) and not force:
        raise Invalid("Qos specs still in use.")
    disassociate_all(tx, found)
    records.remove(tx, found)


def associations(tx: Transaction, found: QosSpecs) -> list[VolumeType]:
    """The types whose volumes it is for."""
    return records.select(tx, VolumeType, "qos_specs_id = ? ORDER BY name", [found.id])


def associate(tx: Transaction, found: QosSpecs, kind: VolumeType) -> None:
    """The type's volumes are held to it. Raises Invalid when the type has another set."""
    if kind.qos_specs_id not in (None, found.id):
        raise Invalid(
            f"Invalid volume type: Type {kind.id} is already associated with another qos specs: {kind.qos_specs_id}"
        )
    records.change(tx, kind, qos_specs_id=found.id)


def disassociate(tx: Transaction, found: QosSpecs, kind: VolumeType) -> None:
    """The type's volumes are not held to it any more."""
    if kind.qos_specs_id == found.id:
        records.change(tx, kind, qos_specs_id=None)


def disassociate_all(tx: Transaction, found: QosSpecs) -> None:
    """No type's volumes are held to it any more."""
    tx.execute("UPDATE volume_types SET qos_specs_id = NULL WHERE qos_specs_id = ?", [found.id])


def of_guest(tx: Transaction, volume: Volume) -> dict[str, str] | None:
    """What the hypervisor holds a volume to; ``..._per_gb`` counts for each of its GiB. None: nothing."""
    kind = types.of(tx, [volume.volume_type_id]).get(volume.volume_type_id or "")
    found = None if kind is None or kind.qos_specs_id is None else find(tx, kind.qos_specs_id)
    if found is None or found.consumer == "back-end":
        return None
    specs = dict(found.specs)
    for name, value in found.specs.items():
        if name.endswith("_per_gb") and value.isdigit():
            least = specs.pop(f"{name}_min", "0")
            wanted = max(int(value) * volume.size, int(least) if least.isdigit() else 0)
            specs[name.removesuffix("_per_gb")] = str(wanted)
            del specs[name]
    return specs


def held_volumes(tx: Transaction, kinds: Iterable[VolumeType]) -> list[str]:
    """Ids of the volumes of these types that somebody has."""
    found = records.select_in(tx, Volume, "volume_type_id", {kind.id for kind in kinds})
    return sorted(volume.id for volume in found if volume.attach_status == "attached")
