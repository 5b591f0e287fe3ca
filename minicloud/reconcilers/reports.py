"""The reports of all hosts that are up: what most repairs compare the records with."""

from functools import partial

import anyio

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.core.compute import hosts
from minicloud.reconcilers.gathering import Reports
from minicloud.reconcilers.loop import Mending

AT_ONCE = 32
"""Hosts that are asked side by side."""


async def of_hosts(at: Mending) -> Reports:
    """Every host's report, later than this question; a host that does not answer is left out, and is another repair's business."""
    return await at.gathering.reports(partial(_ask_all, at))


async def _ask_all(at: Mending) -> Reports:
    reports: dict[str, calls.HostReport] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def ask(host: str) -> None:
        async with limiter:
            try:
                reports[host] = await at.world.agents.ask(host, calls.Report(), timeout_s=30)
            except CloudError as error:
                trace.note("no_report", host=host, error=error.message)

    down = at.world.servicegroup.down
    async with anyio.create_task_group() as tasks:
        for node in await at.world.database.read(hosts.nodes):
            if hosts.member(node.host) not in down:
                tasks.start_soon(ask, node.host)
    return reports
