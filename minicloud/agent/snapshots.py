"""Snapshots of root disks: a copy at one moment beside the disk, sent to the store from there."""

from minicloud.agent.calls import Snapshot
from minicloud.base import trace
from minicloud.base.errors import Conflict, NotFound
from minicloud.drivers.hypervisor import Hypervisor, PowerState
from minicloud.drivers.storage import Storage
from minicloud.engines.blobs import Blobs

ROOT = "root"
"""The hypervisor's name of a machine's root disk."""

ROOT_FILE, SNAPSHOT_FILE = "disk", "disk.snapshot"


async def ensure(hypervisor: Hypervisor, storage: Storage, machine_id: str) -> None:
    """The copy stands beside the disk: made by the hypervisor while the guest runs, by storage when it is off.

    Raises NotFound (no root disk here), Failed, Unavailable.
    """
    root = await storage.disk(machine_id, ROOT_FILE)
    if root is None:
        raise NotFound(f"machine {machine_id} has no root disk on this host")
    await ensure_none(hypervisor, storage, machine_id)
    machine = await hypervisor.machine(machine_id)
    if machine is not None and machine.power_state in (PowerState.RUNNING, PowerState.PAUSED):
        blank = await storage.ensure_disk(machine_id, SNAPSHOT_FILE, base=None, size_bytes=root.virtual_size)
        try:
            await hypervisor.ensure_disks_copied(machine_id, {ROOT: blank.path})
            return
        except Conflict as error:
            trace.note("copied_when_off", machine=machine_id, why=error.message)
    await storage.ensure_copy(machine_id, SNAPSHOT_FILE, ROOT_FILE)


async def ensure_uploaded(storage: Storage, blobs: Blobs, machine_id: str, blob: str) -> Snapshot:
    """The copy's bytes are in the store. Raises NotFound (there is no copy), Unavailable (the store is full)."""
    copy = await storage.disk(machine_id, SNAPSHOT_FILE)
    if copy is None:
        raise NotFound(f"machine {machine_id} has no snapshot on this host")
    await blobs.delete(blob)
    facts = await blobs.put(blob, storage.content(machine_id, SNAPSHOT_FILE))
    return Snapshot(
        format=copy.format, size=facts.size, virtual_size=copy.virtual_size, md5=facts.md5, sha512=facts.sha512
    )


async def ensure_none(hypervisor: Hypervisor, storage: Storage, machine_id: str) -> None:
    """There is no copy, and nobody makes one."""
    await hypervisor.ensure_disk_not_copied(machine_id, ROOT)
    await storage.ensure_no_disk(machine_id, SNAPSHOT_FILE)
