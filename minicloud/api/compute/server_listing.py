"""Listing servers (GET /servers and /servers/detail): filters, paging, and what their documents say that stands elsewhere."""

from typing import Any

from minicloud.api.call import Call
from minicloud.api.compute import server_filters, server_views
from minicloud.api.compute.server_views import Surroundings
from minicloud.api.listing import Listing
from minicloud.api.routes import Get
from minicloud.core import records
from minicloud.core.compute import block_devices, hosts, lifecycle, locks, server_groups
from minicloud.core.compute.servers import Server
from minicloud.core.network import ports
from minicloud.core.policy import ADMIN, PROJECT_READER_OR_ADMIN
from minicloud.core.records import AnyOf, Condition, Transaction

POLICY = "os_compute_api:servers"

UNSHOWN = frozenset(
    (
        "key_type", "public_key", "security_groups", "requested_networks", "nic_tags", "requested_host", "requested_node",
        "forced", "admin_password", "guest_password", "vcpus", "memory_mb", "disk_gb", "deleted_at", "deleted", "generation",
    )
)  # fmt: skip
"""What no document of a server tells from its own record."""
NOTHING_AROUND = Surroundings(addresses={}, security_groups={}, host_status={})

SERVERS = Listing(
    name="servers",
    links_when_full=True,
    sort=[("created_at", True), ("id", True)],
    sort_keys=server_filters.SORT_KEYS,
    unsorted_by=server_filters.NOT_SORTED_BY,
    descending=True,
    then_by=("created_at", "id"),
)


async def index(call: Call) -> Any:
    """Servers, briefly."""
    found, more, _ = await _list(call, around=False)
    last = found[-1].id if found else None
    return call.page.document([server_views.brief(call, server) for server in found], more=more, last_id=last)


async def detail(call: Call) -> Any:
    """Servers with all their attributes."""
    found, more, around = await _list(call, around=True)
    last = found[-1].id if found else None
    return call.page.document(server_views.detailed(call, found, around), more=more, last_id=last)


async def _list(call: Call, *, around: bool) -> tuple[list[Server], bool, Surroundings]:
    """The servers of the page, whether there are more, and what their documents say that stands elsewhere, if it is wanted."""
    server_filters.check_names(call)
    server_filters.check_sort(call)
    page = call.page
    everybody = _everybody(call)
    where = page.query.where
    where += server_filters.conditions(call, passed_over=() if everybody else ("tenant_id", "project_id"))
    if not everybody:
        where.append(Condition("project_id", "=", call.context.project_id))
    wanted = [value for name, value in call.parameters if name == "status"]
    if wanted:
        states = server_filters.of_status(call, wanted)
        if states is None:
            return [], False, NOTHING_AROUND
        where += states
    deleted = _deleted(call, wanted)
    if deleted is not None:
        asked = bool(call.parameter("soft_deleted")) and server_filters.usable(call, "soft_deleted")
        where += _sight(deleted, asked or "SOFT_DELETED" in [status.upper() for status in wanted])
    addresses = [text for name in ("ip", "ip6") if (text := call.parameter(name)) and server_filters.usable(call, name)]

    locker = call.parameter("locked_by") if server_filters.usable(call, "locked_by") else None

    def work(tx: Transaction) -> tuple[list[Server], bool, Surroundings]:
        if locker:
            where.append(Condition("id", "in", locks.servers_locked_by(tx, locker)))
        for text in addresses:
            where.append(Condition("id", "in", ports.servers_at(tx, text)))
        found, more = page.cut(records.page(tx, Server, page.query, without=UNSHOWN))
        return found, more, surroundings(tx, call, found) if around and found else NOTHING_AROUND

    return await call.read(work)


def _sight(deleted: bool, meant: bool) -> list[Condition | AnyOf]:
    """The servers that are deleted, or those that are not. Those that can be restored count as deleted unless they are meant."""
    gone = Condition("vm_state", "=", lifecycle.SOFT_DELETED)
    if deleted:
        return [AnyOf([Condition("deleted", "=", True), gone])]
    living = Condition("deleted", "=", False)
    return [living] if meant else [living, Condition("vm_state", "!=", lifecycle.SOFT_DELETED)]


def _everybody(call: Call) -> bool:
    """Whether the servers of all projects are asked for. Raises Invalid, Forbidden."""
    said = call.parameter("all_tenants")
    everybody = said is not None and (said == "" or server_filters.said_truth(said))
    if everybody:
        call.enforce(f"{POLICY}:{'detail' if call.route.path.endswith('detail') else 'index'}:get_all_tenants")
    return everybody


def _deleted(call: Call, statuses: list[str]) -> bool | None:
    """Whether deleted servers are meant, and only those; None: both."""
    if [status.upper() for status in statuses] == ["DELETED"]:
        return True
    said = call.parameter("deleted") if server_filters.usable(call, "deleted") else None
    if said is not None:
        # What is no truth value means no, as Nova takes it.
        return said.lower() in ("1", "t", "true", "on", "y", "yes")
    changes = call.parameter("changes-since") or (
        server_filters.usable(call, "changes-before") and call.parameter("changes-before")
    )
    return None if changes else False


async def surroundings_of(call: Call, found: list[Server]) -> Surroundings:
    """What the documents of these servers say that stands elsewhere."""
    return await call.read(lambda tx: surroundings(tx, call, found))


HOST_STATUS, UNKNOWN_ONLY = f"{POLICY}:show:host_status", f"{POLICY}:show:host_status:unknown-only"


def _host_status(tx: Transaction, call: Call, wanted: set[str]) -> dict[str, str]:
    """The states of hosts that whoever asks may be told, by host; of a server without one there is nothing to say."""
    if not call.at_least("2.16") or (not (all_of_them := call.allows(HOST_STATUS)) and not call.allows(UNKNOWN_ONLY)):
        return {}
    down = call.world.servicegroup.down
    known = {
        service.host: hosts.status_of(service, up=hosts.member(service.host) not in down)
        for service in records.select_in(tx, hosts.Service, "host", wanted)
        if service.binary == hosts.COMPUTE
    }
    if all_of_them:
        return {"": "", **known}
    return {host: status for host, status in known.items() if status == "UNKNOWN"}


def surroundings(tx: Transaction, call: Call, found: list[Server]) -> Surroundings:
    """As ``surroundings_of``, for whoever reads the servers in the same transaction."""
    ids = [server.id for server in found]
    network = ports.of_servers(tx, ids)
    grouped = len(ids) == 1 and call.at_least("2.71")
    group = server_groups.group_of(tx, ids[0]) if grouped else None
    return Surroundings(
        addresses=network.addresses,
        security_groups=network.security_groups,
        host_status=_host_status(tx, call, {server.host for server in found if server.host}),
        volumes=block_devices.of_servers(tx, ids),
        group=None if group is None else group.id,
    )


def _extra(verb: str) -> list[tuple[str, str]]:
    return [(f"{POLICY}:{verb}:get_all_tenants", ADMIN), (server_filters.ALL_FILTERS, ADMIN)]


routes = [
    Get("/servers", index, policy=f"{POLICY}:index", allow=PROJECT_READER_OR_ADMIN, listing=SERVERS, extra=_extra("index")),
    Get("/servers/detail", detail, policy=f"{POLICY}:detail", allow=PROJECT_READER_OR_ADMIN, listing=SERVERS, extra=_extra("detail")),
]  # fmt: skip
