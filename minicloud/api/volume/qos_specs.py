"""QoS specs over HTTP, and the volume types that they are associated with."""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Delete, Get, Post, Put
from minicloud.api.volume import lists, values
from minicloud.api.volume.lists import Resource
from minicloud.api.volume.volume_views import links
from minicloud.base.errors import Invalid
from minicloud.conductor.volume.apply_qos import ApplyQos
from minicloud.core.policy import ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import qos_specs, types
from minicloud.core.volume.qos_specs import QosSpecs
from minicloud.core.volume.types import VolumeType

POLICY = "volume_extension:qos_specs_manage"
SPECS = Resource(
    name="qos_spec",
    collection="qos_specs",
    filters=("id", "name", "consumer"),
    columns={name: name for name in ("id", "name", "consumer", "created_at", "updated_at")},
    owned=False,
)
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class SpecsBody(Body):
    """The bodies of POST and PUT: any keys, of which ``name`` and ``consumer`` have a meaning of their own."""

    qos_specs: dict[str, str | None]


class Keys(Body):
    """The body of PUT /qos-specs/{id}/delete_keys."""

    keys: list[Key]


def view(found: QosSpecs) -> dict[str, Any]:
    """A set of specs as clients see it."""
    return {"id": found.id, "name": found.name, "consumer": found.consumer, "specs": found.specs}


async def index(call: Call) -> Any:
    """All sets."""
    wanted = lists.read(call, SPECS)
    found = await call.read(lambda tx: lists.page(tx, wanted, qos_specs.page, QosSpecs, qos_specs.find))
    return lists.document(call, SPECS, wanted, [view(one) for one in found], [one.id for one in found], None)


async def create(call: Call, body: SpecsBody) -> Any:
    """Make a set."""
    given = _fit(body.qos_specs)
    name = values.text("name", given.pop("name", None))
    if not name:
        raise Invalid("Invalid input for field/attribute qos_specs. 'name' is a required property", field="name")
    consumer = given.pop("consumer", None)
    found = await call.write(lambda tx: qos_specs.create(tx, name, consumer, given))
    return _document(call, found)


def _document(call: Call, found: QosSpecs) -> dict[str, Any]:
    return {"qos_specs": view(found), "links": links(call, "qos-specs", found.id)}


def _fit(given: dict[str, str | None]) -> dict[str, str]:
    for key, value in given.items():
        if not key or len(key) > 255 or (value is not None and len(value) > 255):
            raise Invalid(
                f"Invalid input for field/attribute qos_specs. Value: {key}. Keys and values have 1 to 255 letters"
            )
    return {key: value or "" for key, value in given.items()}


async def show(call: Call, specs_id: str) -> Any:
    """One set."""
    return _document(call, await call.read(lambda tx: qos_specs.get(tx, specs_id)))


async def update(call: Call, specs_id: str, body: SpecsBody) -> Any:
    """Further or other specs."""
    given = _fit(body.qos_specs)
    rest = {key: value for key, value in given.items() if key != "consumer"}

    def work(tx: Transaction) -> None:
        found = qos_specs.change(tx, qos_specs.get(tx, specs_id), given.get("consumer"), rest)
        _apply(call, tx, qos_specs.associations(tx, found))

    await call.write(work)
    return {"qos_specs": given}


def _apply(call: Call, tx: Transaction, kinds: list[VolumeType]) -> None:
    """Guests that have volumes of these types are held to what is promised now."""
    held = qos_specs.held_volumes(tx, kinds)
    if held:
        call.begin(tx, ApplyQos(volume_ids=held))


async def delete(call: Call, specs_id: str) -> None:
    """Delete a set; with ``force`` also one that types have."""
    force = values.parameter("force", call.parameter("force"))

    def work(tx: Transaction) -> None:
        found = qos_specs.get(tx, specs_id)
        kinds = qos_specs.associations(tx, found)
        qos_specs.delete(tx, found, force=force)
        _apply(call, tx, kinds)

    await call.write(work)


async def delete_keys(call: Call, specs_id: str, body: Keys) -> None:
    """Take specs away."""
    if len(set(body.keys)) < len(body.keys):
        raise Invalid(
            f"Invalid input for field/attribute keys. Value: {body.keys}. {body.keys} has non-unique elements"
        )

    def work(tx: Transaction) -> None:
        found = qos_specs.drop_keys(tx, qos_specs.get(tx, specs_id), body.keys)
        _apply(call, tx, qos_specs.associations(tx, found))

    await call.write(work)


async def associations(call: Call, specs_id: str) -> Any:
    """The types that have the set."""

    def work(tx: Transaction) -> list[VolumeType]:
        return qos_specs.associations(tx, qos_specs.get(tx, specs_id))

    found = await call.read(work)
    shown = [{"association_type": "volume_type", "name": one.name, "id": one.id} for one in found]
    return {"qos_associations": shown}


def _type_id(call: Call) -> str:
    type_id = call.parameter("vol_type_id")
    if not type_id:
        raise Invalid("Volume Type id must not be None.")
    return type_id


async def associate(call: Call, specs_id: str) -> None:
    """The type's volumes are held to the set."""
    type_id = _type_id(call)

    def work(tx: Transaction) -> None:
        found = qos_specs.get(tx, specs_id)
        kind = types.by_id(tx, call.context, type_id)
        qos_specs.associate(tx, found, kind)
        _apply(call, tx, [kind])

    await call.write(work)


async def disassociate(call: Call, specs_id: str) -> None:
    """The type's volumes are free of the set."""
    type_id = _type_id(call)

    def work(tx: Transaction) -> None:
        found = qos_specs.get(tx, specs_id)
        kind = types.by_id(tx, call.context, type_id)
        qos_specs.disassociate(tx, found, kind)
        _apply(call, tx, [kind])

    await call.write(work)


async def disassociate_all(call: Call, specs_id: str) -> None:
    """No type's volumes are held to the set."""

    def work(tx: Transaction) -> None:
        found = qos_specs.get(tx, specs_id)
        kinds = qos_specs.associations(tx, found)
        qos_specs.disassociate_all(tx, found)
        _apply(call, tx, kinds)

    await call.write(work)


_ONE = "/qos-specs/{specs_id}"
routes = [
    Get("/qos-specs", index, policy=f"{POLICY}:get_all", allow=ADMIN),
    Post("/qos-specs", create, policy=f"{POLICY}:create", allow=ADMIN),
    Get(_ONE, show, policy=f"{POLICY}:get", allow=ADMIN),
    Put(_ONE, update, policy=f"{POLICY}:update", allow=ADMIN),
    Delete(_ONE, delete, policy=f"{POLICY}:delete", allow=ADMIN, status=202),
    Put(f"{_ONE}/delete_keys", delete_keys, policy=f"{POLICY}:delete", allow=ADMIN, status=202),
    Get(f"{_ONE}/associations", associations, policy=f"{POLICY}:get_all", allow=ADMIN),
    Get(f"{_ONE}/associate", associate, policy=f"{POLICY}:update", allow=ADMIN, status=202),
    Get(f"{_ONE}/disassociate", disassociate, policy=f"{POLICY}:update", allow=ADMIN, status=202),
    Get(f"{_ONE}/disassociate_all", disassociate_all, policy=f"{POLICY}:update", allow=ADMIN, status=202),
]
