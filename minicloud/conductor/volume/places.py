"""Where a volume lies for those who are given it: asked of its backend each time, as only that knows."""

from minicloud.agent import volume_calls
from minicloud.base.errors import Unavailable
from minicloud.conductor.volume.backends import ask
from minicloud.conductor.world import World
from minicloud.core.volume.attachments import Place
from minicloud.core.volume.volumes import Volume


async def place_of(world: World, volume: Volume) -> Place:
    """The volume's file. Raises NotFound when its backend has none, Unavailable when that is down or there is none."""
    if volume.host is None:
        raise Unavailable(f"Volume {volume.id} is on no backend")
    file = await ask(world, volume.host, volume_calls.LocateVolume(volume_id=volume.id))
    return Place(path=file.path, format=file.format)
