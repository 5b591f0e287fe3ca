"""Scheduling: alone, choosing among a thousand and ten thousand hosts; then a whole cloud of a thousand, filled through its API."""

import time
import tracemalloc
from typing import Any

import anyio

from bench import figures
from bench.boot_storm import storm
from bench.clouds import a_cloud, cpu_seconds, pss_mib
from minicloud.core.compute import hosts
from minicloud.core.placement import allocations, inventories, resource_providers
from minicloud.core.placement.index import Placement
from minicloud.core.placement.inventories import Stocked
from minicloud.core.scheduler.hosts import KnownHosts
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.select import select_hosts
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

OFFERED = {
    "VCPU": Stocked(total=16, max_unit=16, allocation_ratio=4.0),
    "MEMORY_MB": Stocked(total=65_536, reserved=512, max_unit=65_536),
    "DISK_GB": Stocked(total=1000, max_unit=1000),
}


def a_host(tx: Transaction, name: str) -> None:
    """A compute host with its provider."""
    node = hosts.register(
        tx,
        name,
        hypervisor_type="QEMU",
        hypervisor_version=9_000_000,
        cpu_arch="x86_64",
        cpu_model="",
        accelerator="tcg",
        vcpus=16,
        memory_mb=65_536,
        disk_gb=1000,
        free_disk_gb=1000,
        fabric="fake",
    )
    resource_providers.create(tx, name, provider_id=node.uuid)
    inventories.set_all(tx, node.uuid, OFFERED)


def a_request(number: int) -> RequestSpec:
    """A server of one vCPU."""
    return RequestSpec(
        server_id=f"00000000-0000-4000-8000-{number:012d}",
        project_id="project",
        user_id="user",
        flavor_id="1",
        flavor_name="m1.tiny",
        vcpus=1,
        memory_mb=512,
        root_gb=1,
    )


async def measure(count: int, servers: int) -> dict[str, Any]:
    """Place so many servers one after the other, each in a transaction that claims; seconds of each."""
    database, placement, known = InlineDatabase(), Placement(), KnownHosts()

    def build(tx: Transaction) -> None:
        for number in range(count):
            a_host(tx, f"h{number:05}")

    await database.write(build)
    tracemalloc.start()
    await database.read(placement.picture)
    await database.read(known.directory)
    kilobytes = tracemalloc.get_traced_memory()[0] / 1024 / count
    tracemalloc.stop()
    options = SchedulerOptions()
    samples, used = [], set()
    for number in range(servers):

        def place(tx: Transaction, number: int = number) -> str:
            request = a_request(number)
            best = select_hosts(tx, placement, request, is_up=lambda host: True, options=options, known=known)[0]
            allocations.claim(tx, request.server_id, "project", "user", best.allocations)
            return best.host

        began = time.perf_counter()
        used.add(await database.write(place))
        samples.append(time.perf_counter() - began)
    return {"samples": samples, "kilobytes": kilobytes, "used": len(used)}


async def main() -> None:
    """Each figure with its target."""
    found = await measure(1000, 1000)
    figures.show(
        "schedule_1000_servers_on_1000_hosts_per_s", 1000 / sum(found["samples"]), "servers/s", target="> 60",
        more=f"all default filters; {found['used']} hosts used",
    )  # fmt: skip
    found = await measure(10_000, 60)
    figures.show("select_among_10000_ms", figures.p50(found["samples"]) * 1e3, "ms", target="< 20")
    figures.show("memory_per_host_kb", found["kilobytes"], "kB", more="what the scheduler knows of a host")
    used = {}
    for hosts_ in (1, 2000):
        async with a_cloud(hosts=hosts_) as client:
            await client.look_around()
            used[hosts_] = pss_mib(client.pid)
    kilobytes = (used[2000] - used[1]) * 1024 / 1999
    figures.show("process_memory_per_host_kb", kilobytes, "kB", target="< 20", more="all of a simulated host")
    async with a_cloud(hosts=1000) as client:
        await client.unlimited()
        await client.look_around()
        before = cpu_seconds(client.pid)
        seconds = await storm(client, 1000)
        each = cpu_seconds(client.pid) - before
        figures.show(
            "storm_of_1000_on_1000_hosts_per_s", 1000 / seconds, "servers/s", target="> 60",
            more=f"through the API until all are ACTIVE, each with a port; {each:.1f} ms of CPU for each server",
        )  # fmt: skip


if __name__ == "__main__":
    anyio.run(main)
