"""Consistency groups over HTTP: the older name, and the older documents, of groups whose snapshots are of one moment.

Such a group is a group of the type ``default_cgsnapshot_type``; Cinder calls these routes deprecated and keeps them.
"""

from typing import Annotated, Any

import msgspec

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.routes import Get, Post, Put
from minicloud.api.volume import group_orders, lists, values
from minicloud.api.volume.groups import GROUPS
from minicloud.api.volume.values import Flag
from minicloud.base.errors import Invalid
from minicloud.core.policy import PROJECT_MEMBER_OR_ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.volume import group_snapshots, group_types, groups
from minicloud.core.volume.groups import Group

CONSISTENCY_GROUPS = msgspec.structs.replace(
    GROUPS, name="consistencygroup", collection="consistencygroups", links="consistencygroup_links"
)
Choice = Annotated[str, msgspec.Meta(max_length=255)]


class ConsistencyGroupCreate(Body, wrap="consistencygroup", open=True):
    """The body of POST /consistencygroups; the volume types by name or id, with commas between them."""

    volume_types: str | None
    name: Choice | None = None
    description: Choice | None = None
    availability_zone: str | None = None


class FromSource(Body, wrap="consistencygroup-from-src", open=True):
    """The body of POST /consistencygroups/create_from_src."""

    name: Choice | None = None
    description: Choice | None = None
    cgsnapshot_id: str | None = None
    source_cgid: str | None = None


class ConsistencyGroupUpdate(Body, wrap="consistencygroup", open=True):
    """The body of PUT /consistencygroups/{id}; volumes by their ids, with commas between them."""

    name: Choice | None = None
    description: Choice | None = None
    add_volumes: str | None = None
    remove_volumes: str | None = None


class Force(Body, open=True):
    """What the body of ``delete`` may say."""

    force: Flag = False


class Deletion(Body):
    """The body of POST /consistencygroups/{id}/delete: it may be missing, null or empty."""

    consistencygroup: Force | None = None


def brief(group: Group) -> dict[str, Any]:
    """A consistency group in a plain listing."""
    return {"id": group.id, "name": group.name}


def detailed(group: Group) -> dict[str, Any]:
    """A consistency group with all that is told of it."""
    return {
        **brief(group),
        "status": group.status,
        "availability_zone": group.zone,
        "created_at": group.created_at,
        "description": group.description,
        "volume_types": group.volume_type_ids,
    }


async def _list(call: Call, *, long: bool) -> Any:
    wanted = lists.read(call, CONSISTENCY_GROUPS)
    found = await call.read(lambda tx: lists.page(tx, wanted, groups.page, Group, groups.find))
    shown = [detailed(one) if long else brief(one) for one in found]
    return lists.document(call, CONSISTENCY_GROUPS, wanted, shown, [one.id for one in found], None)


async def index(call: Call) -> Any:
    """Groups, briefly: generic ones too, as in Cinder."""
    return await _list(call, long=False)


async def detail(call: Call) -> Any:
    """Groups with all that is told of them."""
    return await _list(call, long=True)


async def show(call: Call, group_id: str) -> Any:
    """One group."""
    return {"consistencygroup": detailed(await call.read(lambda tx: groups.get(tx, call.context, group_id)))}


async def create(call: Call, body: ConsistencyGroupCreate) -> Any:
    """Make a group with nothing in it."""
    name, description = values.text("name", body.name), values.text("description", body.description)
    wanted = group_orders.split(body.volume_types)
    if not wanted:
        raise Invalid(f"volume_types must be provided to create consistency group {name}.")

    def work(tx: Transaction) -> Group:
        type_id = group_types.cgsnapshot_type_id(tx)
        group_type = None if type_id is None else group_types.find(tx, type_id)
        if group_type is None:
            raise Invalid(
                f"Group type {group_types.CGSNAPSHOT} not found. Rerun migration script to create the default cgsnapshot type."
            )
        kinds = groups.types_named(tx, call.context, wanted)
        words = {"name": name, "description": description, "zone": body.availability_zone}
        return groups.create(tx, call.context, group_type, kinds, **words)

    return {"consistencygroup": brief(await call.write(work))}


async def create_from_source(call: Call, body: FromSource) -> Any:
    """Make a group with copies of another one's volumes, or of what its snapshot kept."""
    name, description = values.text("name", body.name), values.text("description", body.description)
    snapshot_id, source_id = body.cgsnapshot_id, body.source_cgid
    if not snapshot_id and not source_id:
        raise Invalid(
            f"Either 'cgsnapshot_id' or 'source_cgid' must be provided to create consistency group {name} from source."
        )
    if snapshot_id and source_id:
        raise Invalid(
            f"Cannot provide both 'cgsnapshot_id' and 'source_cgid' to create consistency group {name} from source."
        )

    def work(tx: Transaction) -> Group:
        if snapshot_id:
            kept = group_snapshots.get(tx, call.context, snapshot_id)
            return group_orders.restore_group(call, tx, kept, name=name, description=description)
        source = groups.get(tx, call.context, source_id or "")
        return group_orders.copy_group(call, tx, source, name=name, description=description)

    return {"consistencygroup": brief(await call.write(work))}


async def update(call: Call, group_id: str, body: ConsistencyGroupUpdate) -> None:
    """Another name or description; volumes that come and go. From 3.6 on name and description may become empty."""
    add, remove = group_orders.split(body.add_volumes), group_orders.split(body.remove_volumes)
    given = {"name": values.text("name", body.name), "description": values.text("description", body.description)}
    empty_counts = call.at_least("3.6")
    changes = {field: value for field, value in given.items() if value or (empty_counts and value is not None)}
    if not changes and not add and not remove:
        raise Invalid(
            "Must specify one or more of the following keys to update: name, description, add_volumes, remove_volumes."
            if empty_counts
            else "Name, description, add_volumes, and remove_volumes can not be all empty in the request body."
        )

    def work(tx: Transaction) -> None:
        groups.update(tx, groups.get(tx, call.context, group_id), add=add, remove=remove, changes=changes)

    await call.write(work)


async def delete(call: Call, group_id: str, body: Deletion) -> None:
    """Delete a group; by force with its volumes."""
    force = values.truth("force", (body.consistencygroup or Force()).force)

    def work(tx: Transaction) -> None:
        group_orders.delete_group(call, tx, groups.get(tx, call.context, group_id), with_volumes=force)

    await call.write(work)


_ALL, _ONE = "/consistencygroups", "/consistencygroups/{group_id}"
_WRITE: dict[str, Any] = {"allow": PROJECT_MEMBER_OR_ADMIN, "status": 202}
routes = [
    Get(_ALL, index, policy="group:get_all", allow=PROJECT_READER_OR_ADMIN),
    Get(f"{_ALL}/detail", detail, policy="group:get_all", allow=PROJECT_READER_OR_ADMIN),
    Post(_ALL, create, policy="group:create", **_WRITE),
    Post(f"{_ALL}/create_from_src", create_from_source, policy="group:create", **_WRITE),
    Get(_ONE, show, policy="group:get", allow=PROJECT_READER_OR_ADMIN),
    Put(_ONE, update, policy="group:update", **_WRITE),
    Put(f"{_ONE}/update", update, policy="group:update", **_WRITE),
    Post(f"{_ONE}/delete", delete, policy="group:delete", optional_body=True, **_WRITE),
]
