"""A disk moves to another file while its guest reads and writes: a job of QEMU mirrors it, then the guest goes on with the other file.

From the moment when both files are the same, a write is done only when it is in both. The record takes note of the other file
before the guest is switched to it (``leaving`` keeps what it was until that has ended): whoever finds the record after
everything died, finds a file that holds all writes.
"""

from typing import Any

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotFound, Unavailable
from minicloud.drivers.hypervisor import Disk, DiskFormat
from minicloud.drivers.hypervisor.qemu.devices import block_node
from minicloud.drivers.hypervisor.qemu.folder import Record
from minicloud.drivers.hypervisor.qemu.layout import node_name
from minicloud.drivers.hypervisor.qemu.qmp import Qmp
from minicloud.drivers.hypervisor.qemu.vm import Vm

_POLL_S = 0.05
_CANCEL_LIMIT_S = 60.0
_LET_GO_S = 10.0


async def move(vm: Vm, disk_id: str, path: str, format: DiskFormat, copied: bool) -> bool:
    """As the promise's ``ensure_disk_moved``."""
    try:
        async with vm.by_itself(asleep=True) as (record, qmp):
            known = _disk(record, disk_id)
            moved = msgspec.structs.replace(known, path=path, format=format)
            if qmp is None:
                if copied:
                    vm.keep(record.with_disk(moved))
                return copied or known.path == path
            if copied:
                raise Conflict(f"machine {vm.machine_id} runs: its disk {disk_id} was copied while it changed")
            if disk_id in record.leaving:
                # An earlier life of ours died amid a switch.
                await _completed(vm, qmp, disk_id)
            if vm.known().disk(disk_id).path == path:
                await _given_up(vm, qmp, disk_id)
                return True
            if await _job(qmp, disk_id) is None or await _target(vm, qmp, disk_id) != path:
                await _given_up(vm, qmp, disk_id)
                await _begin(vm, qmp, moved)
        await _both_same(qmp, disk_id)
        with anyio.CancelScope(shield=True):
            async with vm.by_itself(asleep=True) as (_, qmp):
                if qmp is None:
                    raise Conflict(f"machine {vm.machine_id} ended while its disk was mirrored")
                await _switch(vm, qmp, moved)
    except Unavailable as error:
        raise Conflict(f"machine {vm.machine_id} ended while its disk was mirrored") from error
    return True


async def _begin(vm: Vm, qmp: Qmp, moved: Disk) -> None:
    """The job runs. Raises Failed, and nothing of it is left then."""
    record = vm.known()
    target = record.other_node(moved.id)
    try:
        node = block_node(msgspec.structs.replace(moved, read_only=False))
        await qmp.execute("blockdev-add", {**node, "node-name": target})
        asked = {"job-id": _name(moved.id), "device": record.node(moved.id), "target": target, "sync": "full"}
        await qmp.execute("blockdev-mirror", {**asked, "copy-mode": "write-blocking", "auto-dismiss": False})
    except CloudError:
        with anyio.CancelScope(shield=True):
            await _drop(qmp, target)
        raise
    trace.note("disk_mirror", machine=vm.machine_id, disk=moved.id, path=moved.path)


async def _both_same(qmp: Qmp, disk_id: str) -> None:
    """Both files hold the same, or the job has ended without that."""
    while True:
        found = await _job(qmp, disk_id)
        if found is None or found["status"] in ("ready", "concluded"):
            return
        await anyio.sleep(_POLL_S)


async def _switch(vm: Vm, qmp: Qmp, moved: Disk) -> None:
    """The guest goes on with the other file. Raises Failed: it goes on with the one that it had."""
    record = vm.known()
    known, found = record.disk(moved.id), await _job(qmp, moved.id)
    if known.path == moved.path:
        return
    if found is None or found["status"] != "ready":
        await _given_up(vm, qmp, moved.id)
        raise Failed(f"disk {moved.id} could not be moved: {(found or {}).get('error', 'its job was given up')}")
    vm.keep(record.with_disk(moved).switched(moved.id, leaving=known))
    if (why := await _completed(vm, qmp, moved.id)) is not None:
        raise Failed(f"disk {moved.id} could not be moved: {why}")
    trace.note("disk_moved", machine=vm.machine_id, disk=moved.id, path=moved.path)


async def _completed(vm: Vm, qmp: Qmp, disk_id: str) -> str | None:
    """The switch that the record has noted has been done; or why it was not, and the record is as before."""
    asked, why = False, None
    while (found := await _job(qmp, disk_id)) is not None:
        if found["status"] == "concluded":
            why = found.get("error")
            break
        if found["status"] == "ready" and not asked:
            await qmp.execute("job-complete", {"id": _name(disk_id)})
            asked = True
        else:
            await anyio.sleep(_POLL_S)
    record = vm.known()
    was = record.leaving[disk_id]
    # The record first: a job that has been dismissed tells nobody how it ended.
    vm.keep(record.settled(disk_id) if why is None else record.with_disk(was).switched(disk_id).settled(disk_id))
    await _given_up(vm, qmp, disk_id)
    return why


async def _given_up(vm: Vm, qmp: Qmp, disk_id: str) -> None:
    """There is no job, and QEMU holds no file of the disk but the one that the guest reads."""
    name = _name(disk_id)
    with anyio.move_on_after(_CANCEL_LIMIT_S, shield=True):
        while (found := await _job(qmp, disk_id)) is not None:
            if found["status"] == "concluded":
                await qmp.execute("job-dismiss", {"id": name})
                continue
            if found["status"] not in ("aborting", "null"):
                try:
                    # By force: without it, a job that is ready would end well.
                    await qmp.execute("block-job-cancel", {"device": name, "force": True})
                except Failed as error:
                    trace.note("job_not_cancelled", job=name, why=error.message)
            await anyio.sleep(_POLL_S)
        await _drop(qmp, vm.known().other_node(disk_id))


async def _drop(qmp: Qmp, node: str) -> None:
    """QEMU does not hold the file of this node; one that it does not let go of is noted."""
    with anyio.move_on_after(_LET_GO_S):
        while any(found["node-name"] == node for found in await _nodes(qmp)):
            try:
                await qmp.execute("blockdev-del", {"node-name": node})
            except Failed as error:
                trace.note("node_not_dropped", node=node, why=error.message)
                await anyio.sleep(_POLL_S)


async def _target(vm: Vm, qmp: Qmp, disk_id: str) -> str | None:
    """The file that the job under way writes to."""
    node = vm.known().other_node(disk_id)
    return next((found["file"] for found in await _nodes(qmp) if found["node-name"] == node), None)


async def _nodes(qmp: Qmp) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await qmp.execute("query-named-block-nodes", {"flat": True})
    return found


async def _job(qmp: Qmp, disk_id: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = await qmp.execute("query-jobs")
    return next((one for one in found if one["id"] == _name(disk_id)), None)


def _name(disk_id: str) -> str:
    return f"move-{node_name(disk_id)}"


def _disk(record: Record, disk_id: str) -> Disk:
    if all(disk.id != disk_id for disk in record.machine.disks):
        raise NotFound(f"machine {record.machine.id} has no disk {disk_id}")
    return record.disk(disk_id)
