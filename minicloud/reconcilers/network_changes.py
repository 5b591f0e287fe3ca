"""Network changes: a floating address that was led elsewhere, a router's new interface, a subnet's new route reach their hosts.

The API pokes this repair after each such commit and does not wait for hosts. Only what differs from what a host acknowledged
is sent; whoever wants everything renewed asks ``fabric``.
"""

import anyio

from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.core.compute import hosts
from minicloud.reconcilers.loop import Mending

BURST_S = 0.05
"""How long to gather changes before they are sent: a class that assigns thirty floating addresses is one round."""


class NetworkChanges:
    """Sends hosts what has changed since they were told."""

    name = "network_changes"

    async def mend(self, at: Mending) -> list[str]:
        await anyio.sleep(BURST_S)
        mended: list[str] = []

        async def refresh(host: str) -> None:
            try:
                mended.extend(await at.world.wiring.refresh(host))
            except CloudError as error:
                trace.note("not_refreshed", host=host, error=error.message)

        down, told = at.world.servicegroup.down, at.world.wiring.told()
        async with anyio.create_task_group() as tasks:
            for node in await at.world.database.read(hosts.nodes):
                if node.host in told and hosts.member(node.host) not in down:
                    tasks.start_soon(refresh, node.host)
        return sorted(mended)
