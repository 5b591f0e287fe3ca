"""Take a server from its shelf: where its host still has it, it is started; else it gets a host and the disk that its image has."""

from functools import partial

from minicloud.agent import calls
from minicloud.base.errors import Conflict, NotFound, from_facts
from minicloud.conductor.compute import moved
from minicloud.conductor.compute.specs import server_spec
from minicloud.conductor.compute.taken import TakenServer, advance, keep
from minicloud.conductor.step import Attempts, Step, Steps, max_attempts
from minicloud.conductor.world import World
from minicloud.core import records
from minicloud.core.compute import actions, hosts, lifecycle, servers, shelves
from minicloud.core.compute.servers import Server
from minicloud.core.network import ports
from minicloud.core.scheduler import asking, moving
from minicloud.core.volume import attachments
from minicloud.engines.database import Transaction


class UnshelveServer(TakenServer, kw_only=True):
    """From SHELVED or SHELVED_OFFLOADED to ACTIVE. ``fresh``: it had no host; ``destination`` is the only one that may be."""

    destination: str | None = None
    fresh: bool = True
    host: str | None = None
    tried: list[str] = []
    image_id: str | None = None

    @classmethod
    def steps(cls) -> Steps["UnshelveServer"]:
        return [
            Step("claim", record=begin, unrecord=give_up),
            Attempts(
                [
                    Step("place", record=place, unrecord=unplace),
                    Step("wire", act=ensure_wired, undo=ensure_unwired),
                    Step("spawn", act=ensure_running, undo=ensure_gone),
                ],
                limit=max_attempts,
            ),
            Step("publish", record=mark_active),
            Step("forget", act=ensure_no_blob, final=True),
        ]


def begin(tx: Transaction, saga: UnshelveServer, world: World) -> None:
    """The server is still taken for this; whether it has a host. Raises NotFound when the image with its disk is gone."""
    keep(tx, saga, world)
    server = servers.living(tx, saga.server_id)
    saga.fresh = server.host is None
    if saga.fresh:
        shelves.image_of(tx, server)


def place(tx: Transaction, saga: UnshelveServer, world: World) -> None:
    """A host, the claim on it, and the ports bound to it; or the host that it still has."""
    if not saga.fresh:
        server = advance(tx, saga, "powering-on")
        saga.host = server.host
        return
    server = advance(tx, saga, "unshelving")
    chosen = moving.choose(
        tx,
        world.placement,
        server,
        destination=saga.destination,
        ignored=saga.tried,
        is_up=hosts.up_unless(world.servicegroup.down),
        options=world.scheduler,
        known=world.known_hosts,
    )
    asking.claim(tx, server, chosen)
    saga.host = chosen.host
    moved.bind_all(tx, server.id, chosen.host, world)
    attachments.follow(tx, server.id, chosen.host)
    advance(tx, saga, "spawning", host=chosen.host, node=chosen.node, zone=chosen.zone)
    actions.next_event(tx, saga.action_id, "compute_unshelve_instance", chosen.host)


def unplace(tx: Transaction, saga: UnshelveServer, world: World) -> None:
    """It has no host again, and takes no room."""
    if not saga.fresh:
        return
    asking.free(tx, saga.server_id)
    if saga.host is not None:
        saga.tried.append(saga.host)
        saga.host = None
    server = moved.still_there(tx, saga.server_id)
    if server is not None:
        for port in ports.of_server(tx, server.id):
            ports.unbind(tx, port.id)
        tx.after_commit(world.wiring.members_changed)
        attachments.follow(tx, server.id, None)
        records.change(tx, server, host=None, node=None, zone=None, updated_at=tx.now)


async def ensure_wired(saga: UnshelveServer, world: World) -> None:
    """The ports stand on the host."""
    assert saga.host is not None
    await world.wiring.ensure_ports(saga.host, saga.server_id)


async def ensure_unwired(saga: UnshelveServer, world: World) -> None:
    """The host has nothing of the ports."""
    if saga.fresh and saga.host is not None and await moved.is_up(saga.host, world):
        for port in await world.database.read(lambda tx: ports.of_server(tx, saga.server_id)):
            await world.wiring.ensure_no_port(saga.host, port.id)


async def ensure_running(saga: UnshelveServer, world: World) -> None:
    """The guest runs from the disk that it had."""
    assert saga.host is not None
    spec = await world.database.read(partial(_spec, server_id=saga.server_id, fresh=saga.fresh))
    await world.agents.ask(saga.host, calls.EnsureServer(server=spec), timeout_s=3600)


def _spec(tx: Transaction, server_id: str, fresh: bool) -> calls.ServerSpec:
    server: Server = servers.living(tx, server_id)
    return server_spec(tx, server.with_(image_properties=shelves.image_of(tx, server)) if fresh else server)


async def ensure_gone(saga: UnshelveServer, world: World) -> None:
    """The host has nothing of the guest; one that still had it keeps it, off."""
    if saga.host is None:
        return
    if saga.fresh:
        await moved.ensure_gone(saga.host, saga.server_id, world)
    else:
        message = calls.EnsureServerShutdown(server_id=saga.server_id, grace_s=0)
        await moved.tell_if_up(saga.host, message, world)


def mark_active(tx: Transaction, saga: UnshelveServer, world: World) -> None:
    """It is there again, and its image is needed no more."""
    advance(tx, saga, saga.claimed)
    saga.image_id = shelves.take_down(tx, saga.server_id)
    moved.settle_there(tx, saga, lifecycle.ACTIVE, running=True)


async def ensure_no_blob(saga: UnshelveServer, world: World) -> None:
    """The bytes of the image are gone."""
    if saga.image_id is not None:
        await world.blobs.delete(saga.image_id)


def give_up(tx: Transaction, saga: UnshelveServer, world: World) -> None:
    """It is shelved as it was; in ERROR when the image with its disk is gone, as upstream."""
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The action was rolled back")
    server = moved.still_there(tx, saga.server_id)
    lost = isinstance(error, NotFound) and error.kind == "shelved_image"
    broken = lost and server is not None and server.task_state == saga.claimed
    changes = {"vm_state": lifecycle.ERROR, "fault": servers.fault_of(tx, error)} if broken else {}
    servers.give_back(tx, saga.server_id, saga.action_id, saga.claimed, error, **changes)
