"""Give a volume a type of which several servers may have it at once: its file becomes one that several may open."""

from minicloud.agent import volume_calls
from minicloud.conductor.step import Saga, Step, Steps
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.volume.told import ALLOCATE, tell
from minicloud.conductor.world import World
from minicloud.core.volume import messages, retypes, volumes
from minicloud.engines.database import Transaction


class RetypeVolume(Saga):
    """The volume was taken (``retyping``) in the transaction that began this."""

    volume_id: str
    type_id: str

    @property
    def about(self) -> str:
        return self.volume_id

    @classmethod
    def steps(cls) -> Steps["RetypeVolume"]:
        return [Step("share", act=ensure_shared, record=publish, unrecord=give_back)]


async def ensure_shared(saga: RetypeVolume, world: World) -> None:
    """The file is such a one. That does no harm to a volume that keeps its type."""
    volume = await world.database.read(lambda tx: volumes.existing(tx, saga.volume_id))
    if volume.host is not None:
        await ask(world, volume.host, volume_calls.EnsureVolumeShared(volume_id=volume.id), timeout_s=3600)


def publish(tx: Transaction, saga: RetypeVolume, world: World) -> None:
    """The volume has its new type. Raises NotFound when somebody deleted that meanwhile."""
    retypes.finish(tx, saga.volume_id, saga.type_id)


def give_back(tx: Transaction, saga: RetypeVolume, world: World) -> None:
    """The volume is what it was, and its users are told."""
    volume = volumes.settle(tx, saga.volume_id, [volumes.RETYPING], status=volumes.AVAILABLE, previous_status=None)
    if volume is not None:
        tell(tx, saga, volume.project_id, messages.VOLUME, volume.id, ALLOCATE)
