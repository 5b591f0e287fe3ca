"""Listing servers (GET /servers and /servers/detail): filters, paging, and what their documents say that stands elsewhere."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import server_views
from minicloud.api.compute.server_views import Surroundings
from minicloud.api.listing import Listing, equal, since, truth, until
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.compute import lifecycle, server_groups
from minicloud.core.compute.servers import Server
from minicloud.core.network import ports
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import AllOf, AnyOf, Condition, Transaction

POLICY = "os_compute_api:servers"

SERVERS = Listing(
    name="servers",
    links_when_full=True,
    sort=[("created_at", True), ("id", True)],
    sort_keys={
        "created_at": "created_at",
        "updated_at": "updated_at",
        "display_name": "name",
        "display_description": "description",
        "uuid": "id",
        "host": "host",
        "node": "node",
        "vm_state": "vm_state",
        "task_state": "task_state",
        "power_state": "power_state",
        "key_name": "key_name",
        "availability_zone": "zone",
        "launched_at": "launched_at",
        "terminated_at": "terminated_at",
        "project_id": "project_id",
        "user_id": "user_id",
        "image_ref": "image_id",
        "launch_index": "launch_index",
        "locked": "locked",
        "hostname": "hostname",
        "access_ip_v4": "access_ip_v4",
        "access_ip_v6": "access_ip_v6",
        "config_drive": "config_drive",
        "progress": "progress",
        "instance_type_id": "id",
        "root_device_name": "id",
        "ramdisk_id": "id",
        "kernel_id": "id",
    },
    filters={
        "name": lambda text: [Condition("name", "matches", text)],
        "image": equal("image_id"),
        "reservation_id": equal("reservation_id"),
        "hostname": equal("hostname"),
        "key_name": equal("key_name"),
        "user_id": equal("user_id"),
        "uuid": equal("id"),
        "vm_state": equal("vm_state"),
        "task_state": equal("task_state"),
        "access_ip_v4": equal("access_ip_v4"),
        "access_ip_v6": equal("access_ip_v6"),
        "description": equal("description"),
        "locked": lambda text: [Condition("locked", "=", truth(text))],
        "changes-since": since("updated_at"),
        "changes-before": until("updated_at"),
    },
)


ONLY_ADMIN = {
    "host": "host",
    "node": "node",
    "project_id": "project_id",
    "tenant_id": "project_id",
    "availability_zone": "zone",
}


async def index(call: Call) -> Any:
    """Servers, briefly."""
    found, more = await _list(call)
    last = found[-1].id if found else None
    return call.page.document([server_views.brief(call, server) for server in found], more=more, last_id=last)


async def detail(call: Call) -> Any:
    """Servers with all their attributes."""
    found, more = await _list(call)
    found_around = await surroundings_of(call, found)
    last = found[-1].id if found else None
    return call.page.document(server_views.detailed(call, found, found_around), more=more, last_id=last)


async def _list(call: Call) -> tuple[list[Server], bool]:
    page = call.page
    where, query = page.query.where, page.query
    everybody = truth(call.parameter("all_tenants") or "0") if call.parameter("all_tenants") != "" else True
    if everybody:
        call.enforce(f"{POLICY}:{'detail' if call.route.path.endswith('detail') else 'index'}:get_all_tenants")
    else:
        where.append(Condition("project_id", "=", call.context.project_id))
    if call.context.is_admin:
        for name, column in ONLY_ADMIN.items():
            value = call.parameter(name)
            if value is not None and (everybody or column != "project_id"):
                where.append(Condition(column, "=", value))
    deleted = truth(call.parameter("deleted") or "0") if call.context.is_admin else False
    if call.parameter("changes-since") is None or call.parameter("deleted") is not None:
        where.append(Condition("deleted", "=", deleted))
    flavor = call.parameter("flavor")
    if flavor is not None:
        where.append(Condition("flavor", "like", f'%"id":"{flavor.replace("%", "").replace("_", chr(92) + "_")}"%'))
    wanted = [value for name, value in call.parameters if name == "status"]
    if wanted:
        where.append(AnyOf([AllOf(group) for status in wanted for group in _status_groups(call, status)]))
    address = call.parameter("ip") or call.parameter("ip6")

    def work(tx: Transaction) -> list[Server]:
        if address is not None:
            where.append(Condition("id", "in", ports.servers_at(tx, address)))
        return records.page(tx, Server, query)

    return page.cut(await call.read(work))


def _status_groups(call: Call, status: str) -> list[list[Condition]]:
    groups = []
    for vm_state, tasks, not_tasks in lifecycle.states_of(status.upper()):
        group = [Condition("vm_state", "=", vm_state)]
        if tasks is not None:
            group.append(Condition("task_state", "in", sorted(tasks)))
            groups.append(group)
        elif not_tasks:
            groups += [
                [*group, Condition("task_state", "is null")],
                [*group, Condition("task_state", "not in", sorted(not_tasks))],
            ]
        else:
            groups.append(group)
    if not groups and call.at_least("2.38"):
        raise Invalid(f"Invalid status: {status}")
    return groups


async def surroundings_of(call: Call, found: list[Server]) -> Surroundings:
    """What the documents of these servers say that stands elsewhere."""
    return await call.read(lambda tx: surroundings(tx, call, found))


def surroundings(tx: Transaction, call: Call, found: list[Server]) -> Surroundings:
    """As ``surroundings_of``, for whoever reads the servers in the same transaction."""
    ids = [server.id for server in found]
    down = frozenset(m.partition("@")[2] for m in call.world.servicegroup.down)
    grouped = len(ids) == 1 and call.at_least("2.71")
    group = server_groups.group_of(tx, ids[0]) if grouped else None
    return Surroundings(
        addresses=ports.addresses_of(tx, ids),
        security_groups=ports.groups_of(tx, ids),
        down=down,
        group=None if group is None else group.id,
    )


routes = [
    Get("/servers", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, listing=SERVERS, extra=[(f"{POLICY}:index:get_all_tenants", ADMIN)]),
    Get("/servers/detail", detail, policy=f"{POLICY}:detail", allow=PROJECT_READER_OR_ADMIN, listing=SERVERS, extra=[(f"{POLICY}:detail:get_all_tenants", ADMIN)]),
]  # fmt: skip
