"""Copies of disks at one moment, while their guest goes on writing: what it overwrites is saved to the copy first, by jobs of QEMU.

An agent in the guest is asked to write its files out and to hold still for that moment. Without one, the copy is as a disk
is after a power cut.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import anyio

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotFound, Unavailable
from minicloud.drivers.hypervisor.qemu import guestagent
from minicloud.drivers.hypervisor.qemu.layout import node_name
from minicloud.drivers.hypervisor.qemu.qmp import Qmp
from minicloud.drivers.hypervisor.qemu.vm import Vm

_POLL_S = 0.05
_CANCEL_LIMIT_S = 60.0


async def copy(vm: Vm, paths: Mapping[str, str]) -> None:
    """As the promise's ``ensure_disks_copied``."""
    async with vm.by_itself() as (record, qmp):
        for disk_id in paths:
            if all(disk.id != disk_id for disk in record.machine.disks):
                raise NotFound(f"machine {vm.machine_id} has no disk {disk_id}")
        if qmp is None:
            raise Conflict(f"machine {vm.machine_id} is {record.power}: its disk lies still")
        for disk_id in paths:
            await _tidy(qmp, disk_id)
        try:
            for disk_id, path in paths.items():
                await _open_target(qmp, disk_id, path)
        except CloudError:
            await _tidy_all(vm, qmp, paths)
            raise
    try:
        # One transaction: the jobs of all disks begin between the same two writes of the guest, or none does.
        async with guestagent.frozen(vm.folder, record.machine.hardware):
            await qmp.execute("transaction", {"actions": [_backup(disk_id, record.node(disk_id)) for disk_id in paths]})
        trace.note("disk_copy", machine=vm.machine_id, paths=dict(paths))
        for disk_id in paths:
            # The machine may be paused, stopped and removed meanwhile: whoever does that need not wait for us.
            found = await _end(qmp, _names(disk_id)[0])
            if found is None or "error" in found:
                why = (found or {}).get("error", "the job was cancelled")
                raise Failed(f"disk {disk_id} could not be copied: {why}")
    except Unavailable as error:
        raise Conflict(f"machine {vm.machine_id} ended while its disk was copied") from error
    finally:
        with anyio.CancelScope(shield=True):
            await _tidy_all(vm, qmp, paths)


async def _open_target(qmp: Qmp, disk_id: str, path: str) -> None:
    """QEMU has the file open to which the disk is copied."""
    file = {"driver": "file", "filename": path, "discard": "unmap"}
    target = {"driver": "qcow2", "node-name": _names(disk_id)[1], "discard": "unmap", "file": file}
    await qmp.execute("blockdev-add", target)


def _backup(disk_id: str, node: str) -> dict[str, Any]:
    """The action of a transaction that begins to copy a disk."""
    job, target = _names(disk_id)
    asked = {"job-id": job, "device": node, "target": target, "sync": "full", "auto-dismiss": False}
    return {"type": "blockdev-backup", "data": asked}


async def _tidy_all(vm: Vm, qmp: Qmp, disk_ids: Iterable[str]) -> None:
    """As ``_tidy`` for several disks, as far as it can be done."""
    for disk_id in disk_ids:
        try:
            await _tidy(qmp, disk_id)
        except CloudError as error:
            trace.note("copy_not_tidied", machine=vm.machine_id, why=error.message)


async def give_up(vm: Vm, disk_id: str) -> None:
    """As the promise's ``ensure_disk_not_copied``."""
    try:
        async with vm.by_itself() as (_, qmp):
            if qmp is not None:
                await _tidy(qmp, disk_id)
    except (Conflict, Unavailable):
        # Suspended or ended: QEMU's jobs went with it.
        return


async def _tidy(qmp: Qmp, disk_id: str) -> None:
    """Neither the job nor the node of the file that it wrote to is left. Raises Failed."""
    job, target = _names(disk_id)
    with anyio.move_on_after(_CANCEL_LIMIT_S):
        while (found := await _job(qmp, job)) is not None:
            if found["status"] == "concluded":
                await qmp.execute("job-dismiss", {"id": job})
            elif found["status"] not in ("aborting", "null"):
                await _cancel(qmp, job)
                await anyio.sleep(_POLL_S)
            else:
                await anyio.sleep(_POLL_S)
    nodes = await qmp.execute("query-named-block-nodes", {"flat": True})
    if any(node["node-name"] == target for node in nodes):
        await qmp.execute("blockdev-del", {"node-name": target})


async def _end(qmp: Qmp, job: str) -> dict[str, Any] | None:
    while True:
        found = await _job(qmp, job)
        if found is None or found["status"] == "concluded":
            return found
        await anyio.sleep(_POLL_S)


async def _cancel(qmp: Qmp, job: str) -> None:
    try:
        await qmp.execute("job-cancel", {"id": job})
    except Failed as error:
        # It came to its end between the question and the order.
        trace.note("job_not_cancelled", job=job, why=error.message)


async def _job(qmp: Qmp, job: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = await qmp.execute("query-jobs")
    return next((one for one in found if one["id"] == job), None)


def _names(disk_id: str) -> tuple[str, str]:
    """The job's name, and the name of the node that it writes to."""
    node = node_name(disk_id)
    return f"copy-{node}", f"c{node[1:]}"
