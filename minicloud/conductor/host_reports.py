"""What hosts tell the control side: that they are up and what they have, and that a machine changed by itself."""

import msgspec

from minicloud.agent import calls, volume_calls
from minicloud.base import trace
from minicloud.conductor.world import World
from minicloud.core.compute import aggregates, details, hosts, lifecycle, registration, servers
from minicloud.core.compute.details import Cell
from minicloud.core.placement import resource_providers
from minicloud.core.volume import backends
from minicloud.engines.database import Transaction


async def host_up(world: World, message: calls.HostUp) -> None:
    """Write the host down, with its resource provider and what it has to offer."""
    world.wiring.forget(message.host)
    await world.database.write(lambda tx: _register(tx, message.host, message.report, world))


def _register(tx: Transaction, host: str, report: calls.HostReport, world: World) -> None:
    facts, described = report.facts, world.hosts_described.get(host)
    node = hosts.register(
        tx,
        host,
        hypervisor_type=facts.hypervisor_type,
        hypervisor_version=facts.hypervisor_version,
        cpu_arch=(described.cpu_arch if described is not None else None) or facts.cpu_arch,
        cpu_model=facts.cpu_model,
        accelerator=facts.accelerator,
        vcpus=facts.vcpus,
        memory_mb=facts.memory_mb,
        disk_gb=facts.disk_gb,
        free_disk_gb=report.free_disk_gb,
        fabric=report.fabric.kind,
    )
    options = world.options
    told = registration.details_of(
        host,
        described,
        cells=[msgspec.convert(cell, Cell, from_attributes=True) for cell in facts.cells],
        cpu_ratio=options.cpu_allocation_ratio,
        ram_ratio=options.ram_allocation_ratio,
        disk_ratio=options.disk_allocation_ratio,
    )
    details.write(tx, told)
    new = resource_providers.with_name(tx, node.node) is None
    if new:
        resource_providers.create(tx, node.node, provider_id=node.uuid)
    registration.offer(
        tx,
        node.uuid,
        told,
        vcpus=facts.vcpus,
        memory_mb=facts.memory_mb,
        disk_gb=facts.disk_gb,
        reserved_mb=options.reserved_host_memory_mb,
    )
    registration.characterise(tx, node.uuid, told, described, node.cpu_arch)
    if new:
        aggregates.settle(tx, host)
        registration.join(tx, host, described, world.lab)


async def backend_up(world: World, message: volume_calls.BackendUp) -> None:
    """Write the storage backend down, with the room that it has."""
    report = message.report

    def work(tx: Transaction) -> None:
        backends.register(tx, message.host, driver=report.driver, total_gb=report.total_gb, free_gb=report.free_gb)

    await world.database.write(work)


async def power_changed(world: World, message: calls.PowerChanged) -> None:
    """A guest powered off or its process ended, and nobody asked for that: the server is stopped, as Nova has it."""
    await world.database.write(lambda tx: settle_power(tx, message.server_id, message.host, str(message.power_state)))


def settle_power(
    tx: Transaction, server_id: str, host: str, power_state: str, *, generation: int | None = None
) -> str | None:
    """Bring a server's record in line with what its host sees; what was changed, in words. Servers with a task are left alone,
    and so are those that have moved since they were at this ``generation``."""
    server = servers.find(tx, server_id)
    if server is None or server.deleted or server.host != host or server.task_state is not None:
        return None
    if generation is not None and server.generation != generation:
        return None
    number = lifecycle.POWER_NUMBERS[power_state]
    state = server.vm_state
    if state == lifecycle.ACTIVE and number in (lifecycle.SHUTDOWN, lifecycle.CRASHED):
        state = lifecycle.STOPPED
    if (state, number) == (server.vm_state, server.power_state):
        return None
    servers.observe(tx, server, vm_state=state, power_state=number)
    trace.note("power_settled", server=server_id, host=host, seen=power_state, vm_state=state)
    return f"server {server_id}: {power_state} on {host}, so {state}"
