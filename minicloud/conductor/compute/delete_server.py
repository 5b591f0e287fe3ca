"""Delete a server: whatever is under way ends first, then nothing of it is left but a record that it was there."""

from minicloud.agent import volume_calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.taken import TakenServer, ensure_turn, give_back
from minicloud.conductor.step import Step, Steps
from minicloud.conductor.volume import migrate_volume
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import actions, lifecycle, migrations, servers, shelves, volume_attachments
from minicloud.core.network import ports
from minicloud.core.scheduler import asking, moving
from minicloud.engines.database import Transaction


class DeleteServer(TakenServer):
    """``claimed`` is ``deleting``: from the first destruction on there is no way back.

    ``volumes_left`` are volumes that should have gone with it, and whose backend was away.
    """

    volumes_left: list[str] = []

    @classmethod
    def steps(cls) -> Steps["DeleteServer"]:
        return [
            # Whatever works on the server sees the task ``deleting`` at its next record, and rolls back.
            Step("wait", act=ensure_alone, unrecord=give_back),
            Step("destroy", act=ensure_gone, final=True),
            Step("unwire", act=ensure_let_go),
            Step("release", record=release),
        ]


async def ensure_alone(saga: DeleteServer, world: World) -> None:
    """Nothing else is done to it or to its volumes."""
    await ensure_turn(saga, world)
    await migrate_volume.ensure_ended(world, saga.server_id)


async def ensure_gone(saga: DeleteServer, world: World) -> None:
    """The hosts have nothing of it; one that is down is cleaned by the reconciler of leftovers when it returns."""
    for host in await world.database.read(lambda tx: migrations.homes(tx, saga.server_id)):
        await moved.ensure_gone(host, saga.server_id, world)


async def ensure_let_go(saga: DeleteServer, world: World) -> None:
    """The hosts have nothing of its ports, and backends nothing of the volumes that go with it."""
    await ensure_unwired(saga, world)
    for volume in await world.database.read(lambda tx: volume_attachments.doomed(tx, saga.server_id)):
        if volume.host is None:
            continue
        try:
            await ask(world, volume.host, volume_calls.EnsureNoVolume(volume_id=volume.id))
        except CloudError as error:
            trace.note("volume_left", volume=volume.id, why=error.message)
            saga.volumes_left.append(volume.id)


async def ensure_unwired(saga: DeleteServer, world: World) -> None:
    """The hosts have nothing of its ports."""
    for host in await world.database.read(lambda tx: migrations.homes(tx, saga.server_id)):
        if await moved.is_up(host, world):
            for port in await world.database.read(lambda tx: ports.of_server(tx, saga.server_id)):
                await world.wiring.ensure_no_port(host, port.id)


def release(tx: Transaction, saga: DeleteServer, world: World) -> None:
    """Ports, claims and the record: all in the commit in which the server ceases to be."""
    server = servers.find(tx, saga.server_id)
    ports.release_of_server(tx, saga.server_id)
    volume_attachments.release_all(tx, saga.server_id, left=saga.volumes_left)
    tx.after_commit(world.wiring.members_changed)
    asking.free(tx, saga.server_id)
    for move in migrations.open_of_server(tx, saga.server_id):
        # As upstream, which confirms a resize before it deletes.
        moving.let_go(tx, move.uuid)
        migrations.move(tx, move.uuid, "confirmed" if move.status == "finished" else "error")
    shelves.take_down(tx, saga.server_id)
    if server is None or server.deleted:
        return
    actions.finish(tx, saga.action_id, host=server.host)
    records.change(
        tx,
        server,
        vm_state=lifecycle.DELETED,
        task_state=None,
        power_state=lifecycle.NOSTATE,
        terminated_at=tx.now,
        deleted_at=tx.now,
        updated_at=tx.now,
        deleted=True,
    )
    trace.note("server_deleted", server=saga.server_id)
