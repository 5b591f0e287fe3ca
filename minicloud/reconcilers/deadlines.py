"""What happens to servers by itself after a time: resizes are confirmed, shelved servers offloaded, deleted ones reclaimed."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from minicloud.base import trace
from minicloud.base.clock import moment, stamp
from minicloud.base.errors import Conflict, NotFound
from minicloud.conductor.compute.confirm_resize import ConfirmResize
from minicloud.conductor.compute.delete_server import DeleteServer
from minicloud.conductor.compute.shelve_server import OffloadServer
from minicloud.core.compute import deferred_deletes, migrations, servers, shelves
from minicloud.core.compute.migrations import Migration
from minicloud.core.compute.servers import Idle
from minicloud.engines.database import Transaction
from minicloud.reconcilers.loop import Mending


class Deadlines:
    """Settings say after how many seconds: ``resize_confirm_window``, ``shelved_offload_time``, ``reclaim_instance_interval``."""

    name = "deadlines"

    async def mend(self, at: Mending) -> list[str]:
        options, mended = at.world.options, list[str]()
        if options.resize_confirm_window > 0:
            mended += await self._each(at, options.resize_confirm_window, _resized, _confirm)
        if options.shelved_offload_time > 0:
            mended += await self._each(at, options.shelved_offload_time, _shelved, _offload)
        if options.reclaim_instance_interval > 0:
            mended += await self._each(at, options.reclaim_instance_interval, deferred_deletes.overdue, _reclaim)
        return mended

    async def _each(
        self,
        at: Mending,
        seconds: float,
        overdue: Callable[[Transaction, str], list[Idle]],
        begin: Callable[[Transaction, Mending, Idle], str],
    ) -> list[str]:
        found = await at.world.database.read(lambda tx: overdue(tx, _before(tx, seconds)))
        mended = []
        for server in found:
            try:
                mended.append(await at.world.database.write(partial(_begun, at=at, server=server, begin=begin)))
            except (Conflict, NotFound) as error:
                # Somebody was faster.
                trace.note("not_overdue", server=server.id, why=error.message)
        return mended


def _before(tx: Transaction, seconds: float) -> str:
    return stamp(moment(tx.now) - timedelta(seconds=seconds))


def _begun(tx: Transaction, *, at: Mending, server: Idle, begin: Callable[[Transaction, Mending, Idle], str]) -> str:
    # The work is about a request of its own, so that it can be asked for as any other.
    with trace.about(request_id=f"req-{tx.ids.uuid()}", resource=server.id):
        return begin(tx, at, server)


def _resized(tx: Transaction, before: str) -> list[Idle]:
    found = migrations.in_state(tx, "finished", "resize", "migration")
    return [_idle(tx, move) for move in found if move.updated_at is not None and move.updated_at < before]


def _idle(tx: Transaction, move: Migration) -> Idle:
    server = servers.living(tx, move.server_id)
    return Idle(server.id, server.host or "", server.vm_state, server.power_state, server.generation)


def _confirm(tx: Transaction, at: Mending, server: Idle) -> str:
    move = migrations.with_status(tx, server.id, "finished")
    if move is None:
        raise NotFound(f"Instance {server.id} has no resize to confirm")
    taken, action_id = servers.seize(tx, server, "confirm_resize")
    migrations.move(tx, move.uuid, "confirming")
    at.executor.begin(tx, ConfirmResize(server_id=taken.id, action_id=action_id, migration_id=move.uuid))
    return f"server {server.id}: its {move.kind} has waited long enough and is confirmed"


def _shelved(tx: Transaction, before: str) -> list[Idle]:
    return [
        Idle(one.id, one.host or "", one.vm_state, one.power_state, one.generation)
        for one in shelves.overdue(tx, before)
    ]


def _offload(tx: Transaction, at: Mending, server: Idle) -> str:
    taken, action_id = servers.seize(tx, server, "shelve_offload")
    at.executor.begin(tx, OffloadServer(server_id=taken.id, action_id=action_id, claimed=taken.task_state or ""))
    return f"server {server.id}: shelved for long enough, so its host forgets it"


def _reclaim(tx: Transaction, at: Mending, server: Idle) -> str:
    taken, action_id = servers.seize(tx, server, "delete")
    at.executor.begin(tx, DeleteServer(server_id=taken.id, action_id=action_id, claimed="deleting"))
    return f"server {server.id}: deleted for long enough, so nothing of it is kept"
