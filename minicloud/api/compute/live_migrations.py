"""Moving running servers (the action os-migrateLive), and those moves while they are under way (``/servers/{id}/migrations``)."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import Body
from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.compute.resizes import HOST, up
from minicloud.api.compute.words import truth
from minicloud.api.microversions import Since, Until
from minicloud.api.routes import Action, Delete, Get
from minicloud.base.errors import CloudError, Conflict, Invalid, NotFound, NoValidHost
from minicloud.conductor.compute import live_migrations
from minicloud.conductor.compute.live_migrate_server import LiveMigrateServer
from minicloud.core.compute import actions, migrations, moves, servers
from minicloud.core.compute.migrations import Migration
from minicloud.core.policy import ADMIN, PROJECT_MANAGER_OR_ADMIN
from minicloud.core.records import Transaction
from minicloud.core.scheduler import moving

MIGRATE = "os_compute_api:os-migrate-server"
POLICY = "os_compute_api:servers:migrations"
Host = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=HOST)]


class LiveMigrate(Body):
    """The body of os-migrateLive. ``host`` null lets the scheduler choose."""

    host: Host | None
    block_migration: bool | str
    disk_over_commit: Annotated[bool | str | UnsetType, Until("2.24")] = UNSET
    force: Annotated[bool | str, Since("2.30"), Until("2.67")] = False


async def migrate(call: Call, server_id: str, body: LiveMigrate) -> None:
    """Promise another host. Before 2.34 what makes it impossible is told at once."""
    if not call.at_least("2.25"):
        if body.disk_over_commit is UNSET:
            raise Invalid(
                "Invalid input for field/attribute os-migrateLive. 'disk_over_commit' is a required property",
                kind="body",
            )
        truth("disk_over_commit", body.disk_over_commit)
    auto = call.at_least("2.25") and body.block_migration == "auto"
    block = None if auto else truth("block_migration", body.block_migration)
    forced = truth("force", body.force)
    if forced and not body.host:
        raise Invalid("Can't force to a non-provided destination")
    if body.host:
        call.enforce(f"{MIGRATE}:migrate_live:host")

    def work(tx: Transaction) -> None:
        before, server, action_id, move = moves.live_migrate(tx, call.context, server_id, host=body.host or None)
        assert before.host is not None
        saga = LiveMigrateServer(
            server_id=server.id,
            action_id=action_id,
            claimed=server.task_state or "",
            migration_id=move.uuid,
            destination=body.host or None,
            # Before 2.30 a host that was named was taken without asking anybody.
            forced=bool(body.host) and (forced or not call.at_least("2.30")),
            ignored=[before.host],
            source=before.host,
            was=before.vm_state,
            block=block,
        )
        if not call.at_least("2.34"):
            _check_now(tx, call, saga)
        call.begin(tx, saga)

    await call.write(work)


def _check_now(tx: Transaction, call: Call, saga: LiveMigrateServer) -> None:
    """Raises Invalid for what would make the move fail before anything is moved."""
    server = servers.living(tx, saga.server_id)
    if saga.destination == saga.source:
        raise Invalid(f"Unable to migrate instance ({server.id}) to current host ({saga.source}).")
    if saga.destination is not None and not up(call)(saga.destination):
        raise Invalid(f"Compute service of {saga.destination} is unavailable at this time.")
    world = call.world
    try:
        moving.choose(
            tx,
            world.placement,
            server,
            destination=saga.destination,
            forced=saga.forced,
            ignored=saga.ignored,
            is_up=up(call),
            options=world.scheduler,
            known=world.known_hosts,
        )
    except NoValidHost as error:
        raise Invalid(error.message) from error


class LiveMigrationView(Body, wrap="migration"):
    """A live migration that is under way."""

    id: int
    uuid: Annotated[str, Since("2.59")]
    server_uuid: str
    status: str
    source_compute: str | None
    source_node: str | None
    dest_compute: str | None
    dest_host: str | None
    dest_node: str | None
    memory_total_bytes: int | None
    memory_processed_bytes: int | None
    memory_remaining_bytes: int | None
    disk_total_bytes: int | None
    disk_processed_bytes: int | None
    disk_remaining_bytes: int | None
    user_id: Annotated[str, Since("2.80")]
    project_id: Annotated[str, Since("2.80")]
    created_at: str
    updated_at: str | None


def _view(move: Migration, *, insider: bool) -> LiveMigrationView:
    return LiveMigrationView(
        id=move.id,
        uuid=move.uuid,
        server_uuid=move.server_id,
        status=move.status,
        source_compute=move.source_compute if insider else None,
        source_node=move.source_node if insider else None,
        dest_compute=move.dest_compute if insider else None,
        dest_host=move.dest_host if insider else None,
        dest_node=move.dest_node if insider else None,
        memory_total_bytes=move.memory_total or None,
        memory_processed_bytes=move.memory_processed or None,
        memory_remaining_bytes=move.memory_remaining or None,
        disk_total_bytes=move.disk_total or None,
        disk_processed_bytes=move.disk_processed or None,
        disk_remaining_bytes=move.disk_remaining or None,
        user_id=move.user_id,
        project_id=move.project_id,
        created_at=move.created_at,
        updated_at=move.updated_at,
    )


async def index(call: Call, server_id: str) -> Any:
    """The live migrations of a server that are under way."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> list[Migration]:
        return migrations.in_progress(tx, servers.get(tx, call.context, server_id).id)

    found = await call.read(work)
    insider = call.allows(f"{POLICY}:index:host")
    return {"migrations": [_view(move, insider=insider) for move in found]}


async def show(call: Call, server_id: str, migration_id: str) -> Any:
    """One of them."""
    queries.only(call, since="2.102")

    def work(tx: Transaction) -> Migration:
        server = servers.get(tx, call.context, server_id)
        try:
            move = migrations.of_server(tx, server.id, migration_id)
        except NotFound as error:
            raise NotFound(f"In-progress live migration {migration_id} is not found for server {server_id}.") from error
        if move.kind != "live-migration":
            raise NotFound(f"Migration {migration_id} for server {server_id} is not live-migration.")
        if move.status not in migrations.LIVE:
            raise NotFound(f"Live migration {migration_id} for server {server_id} is not in progress.")
        return move

    return _view(await call.read(work), insider=True)


async def force_complete(call: Call, server_id: str, migration_id: str, body: bytes) -> None:
    """It shall be done, even if the guest has to stand still for that."""
    queries.only_null(body, "force_complete")

    def work(tx: Transaction) -> tuple[str, int]:
        try:
            server, move = moves.ask_about_live(
                tx, call.context, server_id, migration_id, word="force_complete", statuses=["running"]
            )
        except NotFound as error:
            servers.get(tx, call.context, server_id)
            raise Invalid(error.message) from error
        return _noted(tx, call, server.id, move, "live_migration_force_complete")

    host, action_id = await call.write(work)
    await _told(live_migrations.hurry(call.world, host, server_id, action_id))


async def abort(call: Call, server_id: str, migration_id: str) -> None:
    """It shall not be done; since 2.65 also if it has not begun."""
    statuses = ["running", "queued", "preparing"] if call.at_least("2.65") else ["running"]

    def work(tx: Transaction) -> tuple[str, int] | None:
        server, move = moves.ask_about_live(
            tx, call.context, server_id, migration_id, word="abort live migration", statuses=statuses
        )
        noted = _noted(tx, call, server.id, move, "live_migration_cancel")
        if move.status == "running":
            return noted
        # It has not begun: it finds this out before it does.
        migrations.move(tx, move.uuid, "cancelled")
        actions.finish(tx, noted[1], host=noted[0])
        return None

    found = await call.write(work)
    if found is not None:
        await _told(live_migrations.abort(call.world, found[0], server_id, found[1]))


def _noted(tx: Transaction, call: Call, server_id: str, move: Migration, name: str) -> tuple[str, int]:
    action = actions.begin(tx, call.context, server_id, name)
    actions.begin_event(tx, action.id, f"compute_{name}", move.source_compute)
    return move.source_compute or "", action.id


async def _told(telling: Any) -> None:
    try:
        await telling
    except Conflict:
        # It was over in the same moment: whoever asked sees that in its status.
        return
    except CloudError as error:
        raise Conflict(f"The host of the server could not be told: {error.message}") from error


_MIGRATION = "/servers/{server_id}/migrations/{migration_id}"

routes = [
    Action("os-migrateLive", migrate, policy=f"{MIGRATE}:migrate_live", allow=PROJECT_MANAGER_OR_ADMIN, extra=[(f"{MIGRATE}:migrate_live:host", ADMIN)]),
    Get("/servers/{server_id}/migrations", index, policy=f"{POLICY}:index", allow=PROJECT_MANAGER_OR_ADMIN, since="2.23", extra=[(f"{POLICY}:index:host", ADMIN)]),
    Get(_MIGRATION, show, policy=f"{POLICY}:show", allow=ADMIN, since="2.23"),
    Delete(_MIGRATION, abort, policy=f"{POLICY}:delete", allow=PROJECT_MANAGER_OR_ADMIN, since="2.24", status=202),
    Action("force_complete", force_complete, path=f"{_MIGRATION}/action", policy=f"{POLICY}:force_complete", allow=PROJECT_MANAGER_OR_ADMIN, since="2.22"),
]  # fmt: skip
