"""Moves of servers over HTTP: all of them (``/os-migrations``), and the live ones of a server that are under way."""

from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.listing import Listing, equal, moment
from minicloud.api.microversions import Since
from minicloud.api.routes import Get
from minicloud.base.errors import Invalid
from minicloud.core import records
from minicloud.core.compute import migrations
from minicloud.core.compute.migrations import Migration
from minicloud.core.policy import ADMIN, PROJECT_MANAGER_OR_ADMIN
from minicloud.core.records import AnyOf, Condition

POLICY = "os_compute_api:os-migrations"
FILTERS = ("hidden", "host", "instance_uuid", "source_compute", "status", "migration_type")


def _at(host: str) -> list[Any]:
    return [AnyOf([Condition("source_compute", "=", host), Condition("dest_compute", "=", host)])]


def _nothing_hidden(text: str) -> list[Condition]:
    """Nothing is ever hidden here: who asks for what is, finds nothing."""
    return [Condition("id", "<", 0)] if text.lower() in ("1", "true", "t", "yes", "on", "y") else []


MIGRATIONS = Listing(
    name="migrations",
    links_when_full=True,
    sort=[("created_at", True), ("id", True)],
    sort_keys={"created_at": "created_at"},
    filters={
        "host": _at,
        "status": equal("status"),
        "migration_type": equal("kind"),
        "instance_uuid": equal("server_id"),
        "hidden": _nothing_hidden,
    },
)


class MigrationView(Body):
    """A move in the listing."""

    id: int
    uuid: Annotated[str, Since("2.59")]
    instance_uuid: str
    status: str
    migration_type: Annotated[str, Since("2.23")]
    old_instance_type_id: int | None
    new_instance_type_id: int | None
    source_compute: str | None
    source_node: str | None
    dest_compute: str | None
    dest_host: str | None
    dest_node: str | None
    user_id: Annotated[str, Since("2.80")]
    project_id: Annotated[str, Since("2.80")]
    created_at: str
    updated_at: str | None
    links: Annotated[list[dict[str, str]] | UnsetType, Since("2.23")] = UNSET


def _view(call: Call, move: Migration, *, insider: bool) -> MigrationView:
    links: list[dict[str, str]] | UnsetType = UNSET
    if move.kind == "live-migration" and move.status in migrations.LIVE:
        path = f"/servers/{move.server_id}/migrations/{move.id}"
        links = [{"rel": "self", "href": call.url(path)}, {"rel": "bookmark", "href": f"{call.base_url}{path}"}]
    return MigrationView(
        id=move.id,
        uuid=move.uuid,
        instance_uuid=move.server_id,
        status=move.status,
        migration_type=move.kind,
        old_instance_type_id=move.old_flavor_id,
        new_instance_type_id=move.new_flavor_id,
        source_compute=move.source_compute if insider else None,
        source_node=move.source_node if insider else None,
        dest_compute=move.dest_compute if insider else None,
        dest_host=move.dest_host if insider else None,
        dest_node=move.dest_node if insider else None,
        user_id=move.user_id,
        project_id=move.project_id,
        created_at=move.created_at,
        updated_at=move.updated_at,
        links=links,
    )


async def index(call: Call) -> Any:
    """Moves, newest first; in pages since 2.59."""
    paged = call.at_least("2.59")
    known = [*FILTERS, "limit", "marker", "changes-since"]
    known += ["changes-before"] if call.at_least("2.66") else []
    known += ["user_id", "project_id"] if call.at_least("2.80") else []
    queries.only(call, *known, since="2.59")
    project = call.parameter("project_id")
    if not project or project != call.context.project_id:
        call.enforce(f"{POLICY}:index:all_projects")
    page = call.page
    where = page.query.where
    # Before there were pages, whatever was asked for was compared with a column of that name.
    for column in ("user_id", "project_id"):
        value = call.parameter(column)
        if value is not None:
            where.append(Condition(column, "=", value))
    if call.parameter("host") is None and call.parameter("source_compute") is not None:
        where.append(Condition("source_compute", "=", call.parameter("source_compute")))
    where += _changed(call)
    if not paged:
        page.query.limit, page.query.marker, page.limit = None, None, None
    try:
        found, more = page.cut(await call.read(lambda tx: records.page(tx, Migration, page.query)))
    except Invalid as error:
        if error.kind == "marker":
            raise Invalid(f"Marker {page.query.marker} could not be found.", kind="marker") from error
        raise
    insider = call.allows(f"{POLICY}:index:host")
    shown = [_view(call, move, insider=insider) for move in found]
    return page.document(shown, more=paged and more, last_id=found[-1].uuid if found else None)


def _changed(call: Call) -> list[Any]:
    since = call.parameter("changes-since") if call.at_least("2.59") else None
    before = call.parameter("changes-before") if call.at_least("2.66") else None
    first = None if since is None else moment(since)
    last = None if before is None else moment(before)
    if first is not None and last is not None and last < first:
        raise Invalid("The value of changes-since must be less than or equal to changes-before.")
    found = [] if first is None else [Condition("updated_at", ">=", first)]
    return found if last is None else [*found, Condition("updated_at", "<=", last)]


routes = [
    Get(
        "/os-migrations",
        index,
        policy=f"{POLICY}:index",
        allow=PROJECT_MANAGER_OR_ADMIN,
        listing=MIGRATIONS,
        extra=[(f"{POLICY}:index:all_projects", ADMIN), (f"{POLICY}:index:host", ADMIN)],
    )
]
