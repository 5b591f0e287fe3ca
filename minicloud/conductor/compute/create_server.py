"""Bring a new server to ACTIVE, or leave nothing of it but a record in ERROR that says why."""

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import (
    Aborted,
    CloudError,
    Conflict,
    ErrorFacts,
    Failed,
    Invalid,
    NoValidHost,
    Unavailable,
    from_facts,
)
from minicloud.conductor.compute.aborted import aborted, no_network
from minicloud.conductor.compute.specs import spec_of
from minicloud.conductor.step import Attempts, Saga, Step, Steps, max_attempts
from minicloud.conductor.world import World
from minicloud.core import context as contexts
from minicloud.core import records
from minicloud.core.compute import disk_rules, hosts, lifecycle, servers
from minicloud.core.compute.servers import RequestedNetwork, Server
from minicloud.core.network import ports
from minicloud.core.network.rows import Port
from minicloud.core.scheduler import asking, select, workload
from minicloud.engines.database import Transaction


class CreateServer(Saga):
    """``server_id`` and the ``action_id`` of its record are given; ``tried`` are hosts on which it failed."""

    server_id: str
    action_id: int
    host: str | None = None
    tried: list[str] = []

    @property
    def about(self) -> str:
        return self.server_id

    @classmethod
    def steps(cls) -> Steps["CreateServer"]:
        return [
            Step("claim", record=claim, unrecord=mark_error),
            Attempts(
                [
                    Step("place", record=allocate, unrecord=free),
                    Step("ports", record=bind_ports, unrecord=unbind_ports),
                    Step("wire", act=ensure_wired, undo=ensure_unwired),
                    Step("spawn", act=ensure_running, undo=ensure_gone),
                ],
                limit=max_attempts,
            ),
            Step("publish", record=mark_active),
        ]


def claim(tx: Transaction, saga: CreateServer, world: World) -> None:
    """The server's row was written together with this saga; make sure that nobody deleted it since, and that it may have its disks."""
    server = _unless_deleting(tx, saga)
    try:
        disk_rules.check_count(tx, world.options.disks, server)
    except CloudError as error:
        raise aborted(server.id, error.message) from error


def allocate(tx: Transaction, saga: CreateServer, world: World) -> None:
    """Let the scheduler choose a host that has not failed yet, and claim there what the flavor takes."""
    server = _unless_deleting(tx, saga)
    try:
        chosen = select.select_hosts(
            tx,
            world.placement,
            asking.request_of(tx, server, world.scheduler, ignored=saga.tried),
            is_up=hosts.up_unless(world.servicegroup.down),
            options=world.scheduler,
            known=world.known_hosts,
        )[0]
    except NoValidHost as error:
        if saga.tried and saga.failed is not None:
            # What was forced onto one host is not tried elsewhere, and its failure is told as it is.
            raise (Aborted(saga.failed.message) if server.forced else _exhausted(saga, saga.failed)) from error
        raise
    asking.claim(tx, server, chosen)
    saga.host = chosen.host
    records.change(
        tx, server, host=chosen.host, node=chosen.node, zone=chosen.zone, task_state="networking", updated_at=tx.now
    )


def free(tx: Transaction, saga: CreateServer, world: World) -> None:
    """Give the claim back, and remember that this host failed."""
    asking.free(tx, saga.server_id)
    if saga.host is not None:
        if saga.failed is not None and saga.failed.kind != "deleting":
            workload.build_failed(tx, saga.host)
        saga.tried.append(saga.host)
        saga.host = None
    server = servers.find(tx, saga.server_id)
    if server is not None and server.host is not None:
        records.change(tx, server, host=None, node=None, zone=None, updated_at=tx.now)


def bind_ports(tx: Transaction, saga: CreateServer, world: World) -> None:
    """Make the ports that were asked for, or take the ones that exist, and bind them to the host."""
    server = _unless_deleting(tx, saga)
    assert saga.host is not None
    tags: dict[str, str] = {}
    for wanted in server.requested_networks or []:
        try:
            port = _port_of(tx, server, wanted)
        except CloudError as error:
            raise no_network(server.id, wanted.network_id, error) from error
        if port is not None and wanted.tag is not None:
            tags[port.id] = wanted.tag
    for port in ports.of_server(tx, server.id):
        ports.bind(tx, port.id, saga.host)
    tx.after_commit(world.wiring.members_changed)
    records.change(tx, server, task_state="spawning", nic_tags=tags, updated_at=tx.now)


def _port_of(tx: Transaction, server: Server, wanted: RequestedNetwork) -> Port | None:
    context = contexts.on_behalf(server.user_id, server.project_id)
    if wanted.port_id is not None:
        return ports.adopt(tx, context, wanted.port_id, server.id)
    if wanted.network_id is None:
        return None
    return ports.create_for_server(
        tx,
        context,
        wanted.network_id,
        server.id,
        security_groups=server.security_groups,
        fixed_ip=wanted.fixed_ip,
        hostname=server.hostname,
    )


def unbind_ports(tx: Transaction, saga: CreateServer, world: World) -> None:
    """Delete the ports that were made for this server and let go of those that were lent to it."""
    ports.release_of_server(tx, saga.server_id)
    tx.after_commit(world.wiring.members_changed)


async def ensure_wired(saga: CreateServer, world: World) -> None:
    """The host has the networks of all ports, and the ports."""
    assert saga.host is not None
    await world.wiring.ensure_ports(saga.host, saga.server_id)


async def ensure_unwired(saga: CreateServer, world: World) -> None:
    """The host has nothing of the ports; one that is down is cleaned by the reconciler when it returns."""
    host = saga.host
    if host is None or not await world.servicegroup.is_up(hosts.member(host)):
        return
    for port in await world.database.read(lambda tx: ports.of_server(tx, saga.server_id)):
        await world.wiring.ensure_no_port(host, port.id)


async def ensure_running(saga: CreateServer, world: World) -> None:
    """The guest runs on the host."""
    assert saga.host is not None
    spec = await world.database.read(lambda tx: spec_of(tx, saga.server_id))
    try:
        facts = await world.agents.ask(saga.host, calls.EnsureServer(server=spec), timeout_s=600)
    except Invalid as error:
        raise aborted(saga.server_id, error.message) from error
    trace.note("spawned", host=saga.host, pid=facts.pid, power_state=str(facts.power_state))


async def ensure_gone(saga: CreateServer, world: World) -> None:
    """The host has nothing of the guest; one that is down is cleaned by the reconciler when it returns."""
    if saga.host is not None and await world.servicegroup.is_up(hosts.member(saga.host)):
        await world.agents.ask(saga.host, calls.EnsureServerGone(server_id=saga.server_id))


def mark_active(tx: Transaction, saga: CreateServer, world: World) -> None:
    """The server is there for its user."""
    server = _unless_deleting(tx, saga)
    for port in ports.of_server(tx, server.id):
        ports.activate(tx, port.id)
    if server.host is not None:
        workload.build_worked(tx, server.host)
    servers.settle(
        tx,
        server.id,
        saga.action_id,
        vm_state=lifecycle.ACTIVE,
        power_state=lifecycle.RUNNING,
        launched_at=tx.now,
    )


def mark_error(tx: Transaction, saga: CreateServer, world: World) -> None:
    """The record stays and says why, unless the user has deleted it already."""
    error = from_facts(saga.failed) if saga.failed is not None else Conflict("The build was rolled back")
    if isinstance(error, Failed | Unavailable) and 1 < max_attempts(world) <= len(saga.tried):
        error = _tried_enough(saga, error)
    server = servers.find(tx, saga.server_id)
    if server is None or server.task_state == "deleting":
        servers.give_back(tx, saga.server_id, saga.action_id, None, error)
        return
    servers.give_back(
        tx,
        saga.server_id,
        saga.action_id,
        server.task_state,
        error,
        vm_state=lifecycle.ERROR,
        fault=servers.fault_of(tx, error),
    )


def _unless_deleting(tx: Transaction, saga: CreateServer) -> Server:
    server = servers.living(tx, saga.server_id)
    if server.task_state == "deleting":
        raise Conflict(f"Instance {saga.server_id} was deleted while it was being built", kind="deleting")
    return server


def _exhausted(saga: CreateServer, last: ErrorFacts) -> NoValidHost:
    """Nova's words, and the failure behind them, without which its owner learns nothing."""
    return NoValidHost(
        "Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance "
        f"{saga.server_id}. Last exception: {last.message}",
        tried=saga.tried,
        cause=last.message,
    )


def _tried_enough(saga: CreateServer, last: CloudError) -> NoValidHost:
    return NoValidHost(
        f"Exceeded maximum number of retries. Exceeded max scheduling attempts {len(saga.tried)} for instance "
        f"{saga.server_id}. Last exception: {last.message}",
        tried=saga.tried,
        cause=last.message,
    )
