"""What a host is told about servers that come, go, or change their size: its side of the messages in ``move_calls``."""

from typing import Any

from minicloud.agent import disks, move_calls
from minicloud.agent.packing import ensure_packed
from minicloud.drivers.hypervisor import Hypervisor
from minicloud.drivers.storage import Storage
from minicloud.engines.blobs import Blobs


async def handle(hypervisor: Hypervisor, storage: Storage, blobs: Blobs, message: Any) -> Any:
    """Do what such a message says. Raises CloudError, which reaches the caller."""
    match message:
        case move_calls.EnsureServerPacked():
            return await ensure_packed(storage, blobs, message.server_id, message.prefix)
        case move_calls.EnsureDisksKept():
            return await storage.ensure_kept(message.server_id)
        case move_calls.EnsureDisksRestored():
            return await storage.ensure_restored(message.server_id)
        case move_calls.EnsureDisksNotKept():
            return await storage.ensure_not_kept(message.server_id)
        case move_calls.EnsureNoRescueDisk():
            return await storage.ensure_no_disk(message.server_id, disks.RESCUE_FILE)
        case move_calls.GuestBuilt():
            return await hypervisor.built(message.server_id)
        case move_calls.EnsureGuestNotAwaited():
            await hypervisor.ensure_not_awaited(message.server_id)
            return await storage.ensure_no_disks(message.server_id)
        case move_calls.GuestArrived():
            return await hypervisor.arrived(message.server_id)
        case move_calls.EnsureGuestSent():
            return await hypervisor.ensure_sent(message.server_id, message.address)
        case move_calls.EnsureGuestSwitched():
            return await hypervisor.ensure_switched(message.server_id, message.address)
        case move_calls.EnsureGuestNotSent():
            return await hypervisor.ensure_not_sent(message.server_id)
        case move_calls.HurryGuest():
            return await hypervisor.hurry(message.server_id)
        case move_calls.GuestProgress():
            return await hypervisor.move_progress(message.server_id)
        case _:
            raise TypeError(f"Moves know nothing of {type(message).__name__}")
