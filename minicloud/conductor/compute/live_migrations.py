"""What may be said of a live migration while it is under way: that it shall hurry, that it shall stop."""

from minicloud.agent import move_calls
from minicloud.base.errors import CloudError
from minicloud.conductor.world import World
from minicloud.core.compute import actions


async def hurry(world: World, host: str, server_id: str, action_id: int) -> None:
    """The guest stands still rather than hold up its move. Raises what the host raises, and writes down how it went."""
    await _tell(world, host, move_calls.HurryGuest(server_id=server_id), action_id)


async def abort(world: World, host: str, server_id: str, action_id: int) -> None:
    """The guest stays. Raises what the host raises, and writes down how it went."""
    await _tell(world, host, move_calls.EnsureGuestNotSent(server_id=server_id), action_id)


async def _tell(
    world: World, host: str, message: move_calls.HurryGuest | move_calls.EnsureGuestNotSent, action_id: int
) -> None:
    error: str | None = None
    try:
        await world.agents.ask(host, message)
    except CloudError as failure:
        error = failure.message
        raise
    finally:
        await world.database.write(lambda tx: actions.finish(tx, action_id, host=host, error=error))
