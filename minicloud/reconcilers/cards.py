"""Cards: no guest keeps a network card whose port is no more its server's, as when the network service deleted the port.

In upstream Neutron tells Nova of such a port (``network-vif-deleted``), and is not heard when anything is down at that moment.
"""

from collections.abc import Iterable
from functools import partial

import anyio

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor import log
from minicloud.core.compute import interfaces
from minicloud.core.compute.interfaces import Stray
from minicloud.engines.database import Transaction
from minicloud.reconcilers import reports
from minicloud.reconcilers.loop import Mending

GRACE_S = 60.0
"""How long a guest may take to let go of a card."""


class Cards:
    """Takes cards out of running guests, and out of what machines that are off will be started with."""

    name = "cards"

    async def mend(self, at: Mending) -> list[str]:
        mended: list[str] = []
        plugged: dict[str, dict[str, list[str]]] = {}
        for host, report in (await reports.of_hosts(at)).items():
            plugged[host] = {machine.id: machine.nics for machine in report.machines if machine.nics}
        async with anyio.create_task_group() as tasks:
            for strays in _by_server(await at.world.database.read(lambda tx: _strays(tx, plugged))):
                tasks.start_soon(_take_out, at, strays, mended)
        return sorted(mended)


def _strays(tx: Transaction, plugged: dict[str, dict[str, list[str]]]) -> list[Stray]:
    # A server that is being worked on may be about to lose its cards anyway, or stand on two hosts.
    busy = {row.resource for row in log.under_way(tx)}
    return [stray for host, machines in plugged.items() for stray in interfaces.strays(tx, host, machines, busy)]


def _by_server(strays: Iterable[Stray]) -> list[list[Stray]]:
    found: dict[str, list[Stray]] = {}
    for stray in strays:
        found.setdefault(stray.server_id, []).append(stray)
    return list(found.values())


async def _take_out(at: Mending, strays: list[Stray], mended: list[str]) -> None:
    """The cards of one server, one after the other. A guest that clings to one has it without a wire."""
    for stray in strays:
        with trace.about(resource=stray.server_id):
            # It may have become the server's again since hosts were asked.
            if not await at.world.database.read(partial(interfaces.is_stray, card=stray)):
                continue
            told = f"card {stray.port_id} of server {stray.server_id} has no port of it any more"
            try:
                message = calls.EnsureNicDetached(server_id=stray.server_id, port_id=stray.port_id, timeout_s=GRACE_S)
                await at.world.agents.ask(stray.host, message, timeout_s=GRACE_S + 30)
            except CloudError as error:
                trace.note("card_stays", host=stray.host, port=stray.port_id, error=error.message)
                told += f", and its guest keeps it: {error.message}"
            try:
                await at.world.wiring.ensure_no_port(stray.host, stray.port_id)
            except CloudError as error:
                trace.note("wire_stays", host=stray.host, port=stray.port_id, error=error.message)
            await at.world.database.write(partial(interfaces.untag, card=stray))
            mended.append(told)
