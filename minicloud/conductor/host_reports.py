"""What hosts tell the control side: that they are up and what they have, and that a machine changed by itself."""

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.conductor.world import World
from minicloud.core.compute import aggregates, details, hosts, lifecycle, servers
from minicloud.core.compute.details import HostDetails
from minicloud.core.placement import inventories, resource_providers
from minicloud.core.placement.inventories import Stocked
from minicloud.engines.database import Transaction


async def host_up(world: World, message: calls.HostUp) -> None:
    """Write the host down, with its resource provider and what it has to offer."""
    world.wiring.forget(message.host)
    await world.database.write(lambda tx: _register(tx, message.host, message.report, world))


def _register(tx: Transaction, host: str, report: calls.HostReport, world: World) -> None:
    facts = report.facts
    node = hosts.register(
        tx,
        host,
        hypervisor_type=facts.hypervisor_type,
        hypervisor_version=facts.hypervisor_version,
        cpu_arch=facts.cpu_arch,
        cpu_model=facts.cpu_model,
        accelerator=facts.accelerator,
        vcpus=facts.vcpus,
        memory_mb=facts.memory_mb,
        disk_gb=facts.disk_gb,
        free_disk_gb=report.free_disk_gb,
        fabric=report.fabric.kind,
    )
    options = world.options
    told = HostDetails(
        host=host,
        cpu_ratio=options.cpu_allocation_ratio,
        ram_ratio=options.ram_allocation_ratio,
        disk_ratio=options.disk_allocation_ratio,
    )
    details.write(tx, told)
    ratios = details.ratios(told, [one.metadata for one in aggregates.of_host(tx, host)])
    offered = {
        "VCPU": Stocked(total=facts.vcpus, max_unit=facts.vcpus, allocation_ratio=ratios["VCPU"]),
        "MEMORY_MB": Stocked(
            total=facts.memory_mb,
            reserved=min(options.reserved_host_memory_mb, facts.memory_mb - 1),
            max_unit=facts.memory_mb,
            allocation_ratio=ratios["MEMORY_MB"],
        ),
        "DISK_GB": Stocked(
            total=max(facts.disk_gb, 1), max_unit=max(facts.disk_gb, 1), allocation_ratio=ratios["DISK_GB"]
        ),
    }
    new = resource_providers.with_name(tx, node.node) is None
    if new:
        resource_providers.create(tx, node.node, provider_id=node.uuid)
    known = {found.resource_class: _stocked(found) for found in inventories.of_provider(tx, node.uuid)}
    if known != offered:
        # What others gave the provider (a custom class, say) stays.
        inventories.set_all(tx, node.uuid, {**known, **offered})
    if new:
        aggregates.settle(tx, host)


def _stocked(found: inventories.Inventory) -> Stocked:
    return Stocked(**{name: getattr(found, name) for name in Stocked.__struct_fields__})


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
