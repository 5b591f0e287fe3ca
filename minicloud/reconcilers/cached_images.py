"""The hosts' caches of images: what they have is what administrators are shown, and what no image needs any more goes."""

from collections.abc import Mapping

from minicloud.agent import calls
from minicloud.base import trace
from minicloud.base.errors import CloudError
from minicloud.conductor import log
from minicloud.core.compute import leftovers
from minicloud.core.image import cache
from minicloud.core.image.cache import Held
from minicloud.engines.database import Transaction
from minicloud.reconcilers.loop import Mending


async def mend(at: Mending, found: Mapping[str, calls.HostReport]) -> list[str]:
    """Write down what the reports say; remove images that nobody needs from the hosts that have them."""
    held: dict[str, Held] = {}
    for host, report in found.items():
        for one in report.images:
            before = held.get(one.checksum, Held([]))
            held[one.checksum] = Held([*before.hosts, host], before.hits + one.hits)
    nobodys = await at.world.database.write(lambda tx: _compared(tx, held, set(found)))
    mended: list[str] = []
    for checksum in nobodys:
        for host in held[checksum].hosts:
            try:
                if await at.world.agents.ask(host, calls.EnsureNoImage(checksum=checksum)):
                    mended.append(f"image {checksum[:12]} was kept on {host} for nobody")
            except CloudError as error:
                trace.note("leftovers_stay", host=host, error=error.message)
    return mended


def _compared(tx: Transaction, held: dict[str, Held], heard: set[str]) -> list[str]:
    cache.reported(tx, held, heard)
    nobodys = cache.of_nobody(tx, held)
    # While anything is under way, a disk may be about to be made of an image that was deleted a moment ago.
    return leftovers.unneeded(tx, nobodys) if nobodys and not log.unfinished(tx) else []
