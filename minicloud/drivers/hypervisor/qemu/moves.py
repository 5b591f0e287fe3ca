"""Moves of running guests between QEMU hosts of one computer: memory over a socket in the new machine's folder, disks over another.

The new process stands still and serves its own disks by NBD; the old one mirrors its disks there, then sends its memory, and
stands still before the last of it. Only then are both sides asked to switch: until then everything can be taken back.
Volumes lie where both hosts reach them: the new process has them open, and does not touch them before the old one let go.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, NotFound, Unavailable
from minicloud.drivers.hypervisor import Disk, Machine, MoveProgress
from minicloud.drivers.hypervisor.qemu.layout import Layout, fresh, node_name
from minicloud.drivers.hypervisor.qemu.qmp import Qmp
from minicloud.drivers.hypervisor.qemu.suspension import as_it_was
from minicloud.drivers.hypervisor.qemu.vm import Vm

_POLL_S = 0.05
_CANCEL_LIMIT_S = 60.0
_FAST = 1 << 40
_LONGEST_STANDSTILL_MS = 2_000_000
_ON_THE_WAY = ("setup", "active", "pre-switchover", "device", "postcopy-active")


class QemuMoves:
    """The part of the hypervisor promise that is about moves: what ``QemuHypervisor`` inherits."""

    _vms: dict[str, Vm]
    _instances: Path
    _using: Callable[[str], Any]
    watch: Callable[[Callable[[], Awaitable[None]], str], None]

    async def built(self, machine_id: str) -> str:
        record = _known(self._vms, machine_id).known()
        return msgspec.json.encode(Built(machine=record.machine, layout=record.layout)).decode()

    async def ensure_awaited(self, machine: Machine, built: str = "") -> str:
        folder = self._instances / machine.id
        known = self._vms.get(machine.id)
        if known is not None and known.record is not None:
            if await self.arrived(machine.id):
                raise Conflict(f"machine {machine.id} is on this host already")
            # Of an earlier try: nobody knows how far that came.
            await known.remove()
        machine, layout = _as_there(machine, built) if built else (machine, fresh(machine))
        with self._using(machine.id) as vm:
            await vm.run(machine, awaited=layout)
            try:
                async with vm.by_itself() as (_, qmp):
                    await _serve(_running(vm, qmp), _local(vm))
            except CloudError:
                await vm.remove()
                raise
        self.watch(lambda: self._until_arrived(vm), f"await {machine.id}")
        return str(folder)

    async def ensure_not_awaited(self, machine_id: str) -> None:
        vm = self._vms.get(machine_id)
        if vm is None or vm.record is None:
            return
        if await self.arrived(machine_id):
            raise Conflict(f"the guest of machine {machine_id} is here")
        await vm.remove()

    async def arrived(self, machine_id: str) -> bool | None:
        vm = self._vms.get(machine_id)
        if vm is None or vm.record is None:
            return False
        if not vm.record.awaited:
            return True
        async with vm.by_itself() as (record, qmp):
            if not record.awaited:
                return True  # Whoever watches it has seen it come meanwhile.
            if qmp is None:
                return False
            coming = await _coming(qmp)
            if coming is not None:
                return None if coming else False
            await qmp.execute("nbd-server-stop")
            vm.keep(msgspec.structs.replace(record, awaited=False))
        trace.note("guest_arrived", machine=machine_id)
        return True

    async def _until_arrived(self, vm: Vm) -> None:
        while vm.record is not None and vm.record.awaited:
            try:
                await self.arrived(vm.machine_id)
            except CloudError as error:
                trace.note("guest_not_here", machine=vm.machine_id, why=error.message)
            await anyio.sleep(_POLL_S)

    async def ensure_sent(self, machine_id: str, address: str) -> None:
        vm, qmp = await self._sending(machine_id)
        if (await _migration(qmp)).get("status") == "pre-switchover":
            return
        await _take_back(qmp)
        there = _way(vm, address)
        try:
            await _mirror(qmp, _local(vm), there)
            await _can_be_taken_back(qmp, True)
            await qmp.execute("migrate-set-parameters", {"max-bandwidth": _FAST})
            await qmp.execute("migrate", {"uri": f"unix:{there}/incoming"})
            await _until(qmp, "pre-switchover")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await _take_back(qmp)
            raise

    async def ensure_switched(self, machine_id: str, address: str) -> None:
        vm = _known(self._vms, machine_id)
        async with vm.by_itself() as (_, qmp):
            pass
        if qmp is not None:
            status = (await _migration(qmp)).get("status")
            if status == "pre-switchover":
                for disk in _local(vm):
                    await _end_mirror(qmp, disk, force=False)
                await qmp.execute("migrate-continue", {"state": "pre-switchover"})
                await _until(qmp, "completed")
            elif status != "completed":
                raise Failed(f"machine {machine_id} was not sent to {address}: {status}")
        await vm.shut_down(0)

    async def ensure_not_sent(self, machine_id: str) -> None:
        vm = self._vms.get(machine_id)
        if vm is None or vm.record is None:
            return
        try:
            async with vm.by_itself() as (_, qmp):
                pass
            if qmp is not None:
                await _take_back(qmp)
        except (Conflict, Unavailable) as error:
            trace.note("not_sent", machine=machine_id, why=error.message)

    async def hurry(self, machine_id: str) -> None:
        _, qmp = await self._sending(machine_id)
        if (await _migration(qmp)).get("status") not in _ON_THE_WAY:
            raise Conflict(f"machine {machine_id} is not being sent anywhere")
        await qmp.execute("migrate-set-parameters", {"downtime-limit": _LONGEST_STANDSTILL_MS})

    async def move_progress(self, machine_id: str) -> MoveProgress | None:
        try:
            vm, qmp = await self._sending(machine_id)
        except (NotFound, Conflict):
            return None
        found = await _migration(qmp)
        jobs = [job for job in await qmp.execute("query-block-jobs") if str(job["device"]).startswith("send-")]
        if found.get("status") not in _ON_THE_WAY and not jobs:
            return None
        ram, total = found.get("ram", {}), vm.known().machine.memory_mb << 20
        size, done = sum(job["len"] for job in jobs), sum(job["offset"] for job in jobs)
        return MoveProgress(
            memory_total=ram.get("total", total),
            memory_processed=ram.get("transferred", 0),
            memory_remaining=ram.get("remaining", total),
            disk_total=size,
            disk_processed=done,
            disk_remaining=size - done,
        )

    async def _sending(self, machine_id: str) -> tuple[Vm, Qmp]:
        vm = _known(self._vms, machine_id)
        async with vm.by_itself() as (_, qmp):
            return vm, _running(vm, qmp)


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What ``built`` tells: the machine as its guest knows it, and where its devices sit."""

    machine: Machine
    layout: Layout


def _as_there(wished: Machine, built: str) -> tuple[Machine, Layout]:
    """The machine that a guest elsewhere knows, with this host's files and wires. Raises Failed."""
    try:
        there = msgspec.json.decode(built, type=Built)
    except msgspec.MsgspecError as error:
        raise Failed(f"nobody here can read how machine {wished.id} is built: {error}") from error
    ours = {disk.id: disk for disk in wished.disks}
    if missing := [disk.id for disk in there.machine.disks if disk.id not in ours]:
        raise Failed(f"machine {wished.id} has disks that this host knows nothing of: {', '.join(missing)}")
    disks = [msgspec.structs.replace(d, path=ours[d.id].path, format=ours[d.id].format) for d in there.machine.disks]
    # What the guest sees of its cells is what it saw; where they sit is this host's.
    hardware = msgspec.structs.replace(
        there.machine.hardware, cells=wished.hardware.cells, emulator=wished.hardware.emulator
    )
    machine = msgspec.structs.replace(
        there.machine, disks=disks, kernel=wished.kernel, ramdisk=wished.ramdisk, hardware=hardware
    )
    return as_it_was(machine, wished), there.layout


def _known(vms: dict[str, Vm], machine_id: str) -> Vm:
    vm = vms.get(machine_id)
    if vm is None:
        raise NotFound(f"this host has no machine {machine_id}")
    return vm


def _way(vm: Vm, address: str) -> str:
    """The other machine's folder as seen from this one's, in which QEMU runs: names of sockets must be short."""
    return os.path.relpath(address, vm.folder.path)


def _running(vm: Vm, qmp: Qmp | None) -> Qmp:
    if qmp is None:
        raise Conflict(f"machine {vm.machine_id} is off: only one that runs can be sent")
    return qmp


def _is_local(disk: Disk, folder: Path) -> bool:
    return Path(disk.path).parent == folder


def _local(vm: Vm) -> list[Disk]:
    return [disk for disk in vm.known().machine.disks if not disk.read_only and _is_local(disk, vm.folder.path)]


async def _serve(qmp: Qmp, disks: list[Disk]) -> None:
    """The new process lets the old one write its disks."""
    await qmp.execute("nbd-server-start", {"addr": {"type": "unix", "data": {"path": "nbd"}}})
    for disk in disks:
        node = node_name(disk.id)
        export = {"type": "nbd", "id": f"served-{node}", "node-name": node, "name": node, "writable": True}
        await qmp.execute("block-export-add", export)


async def _mirror(qmp: Qmp, disks: list[Disk], there: str) -> None:
    """What is on the disks is there, and what is written from now on comes there, too."""
    for disk in disks:
        node, (job, target) = node_name(disk.id), _names(disk)
        server = {"type": "unix", "path": f"{there}/nbd"}
        await qmp.execute(
            "blockdev-add", {"driver": "nbd", "node-name": target, "server": server, "export": node, "discard": "unmap"}
        )
        await qmp.execute("blockdev-mirror", {"job-id": job, "device": node, "target": target, "sync": "full"})
    for disk in disks:
        job, _ = _names(disk)
        while (found := await _job(qmp, job)) is None or not found.get("ready"):
            if found is None or found.get("error"):
                raise Failed(f"disk {disk.id} could not be mirrored: {(found or {}).get('error', 'its job ended')}")
            await anyio.sleep(_POLL_S)


async def _job_ended(qmp: Qmp, job: str) -> None:
    """Wait until a job on a disk is there no more."""
    while True:
        if await _job(qmp, job) is None:
            return
        await anyio.sleep(_POLL_S)


async def _end_mirror(qmp: Qmp, disk: Disk, *, force: bool) -> None:
    """The disk is mirrored no more; unless ``force``, all that was written has arrived."""
    job, target = _names(disk)
    if await _job(qmp, job) is not None:
        await qmp.execute("block-job-cancel", {"device": job, "force": force})
    with anyio.fail_after(_CANCEL_LIMIT_S):
        await _job_ended(qmp, job)
    nodes = await qmp.execute("query-named-block-nodes", {"flat": True})
    if any(node["node-name"] == target for node in nodes):
        await qmp.execute("blockdev-del", {"node-name": target})


async def _take_back(qmp: Qmp) -> None:
    """Nothing is on its way, and the guest goes on if it stood still only for that."""
    if (await _migration(qmp)).get("status") in (*_ON_THE_WAY, "cancelling"):
        await qmp.execute("migrate_cancel")
        with anyio.fail_after(_CANCEL_LIMIT_S):
            while True:
                if (await _migration(qmp)).get("status") not in (*_ON_THE_WAY, "cancelling"):
                    break
                await anyio.sleep(_POLL_S)
    for job in await qmp.execute("query-block-jobs"):
        if str(job["device"]).startswith("send-"):
            await qmp.execute("block-job-cancel", {"device": job["device"], "force": True})
            await _job_ended(qmp, str(job["device"]))
    for node in await qmp.execute("query-named-block-nodes", {"flat": True}):
        if str(node["node-name"]).startswith("s-"):
            await qmp.execute("blockdev-del", {"node-name": node["node-name"]})
    # The next time that memory is written, it may be to a file, where nobody continues it.
    await _can_be_taken_back(qmp, False)


async def _can_be_taken_back(qmp: Qmp, wanted: bool) -> None:
    """The guest stands still before its last step, and this side lets go only when the other one has said that all came."""
    capabilities = [{"capability": name, "state": wanted} for name in ("pause-before-switchover", "return-path")]
    await qmp.execute("migrate-set-capabilities", {"capabilities": capabilities})


async def _until(qmp: Qmp, wanted: str) -> None:
    """Raises Conflict when somebody gave the move up, Failed when QEMU did."""
    while (found := await _migration(qmp)).get("status") != wanted:
        if found.get("status") in ("cancelling", "cancelled"):
            raise Conflict("the move was cancelled", kind="cancelled")
        if found.get("status") == "failed":
            raise Failed(f"QEMU gave the move up: {found.get('error-desc', 'it does not say why')}")
        await anyio.sleep(_POLL_S)


async def _coming(qmp: Qmp) -> bool | None:
    """Whether memory is coming to a QEMU that waits for a guest; None: it waits no more. One whose source has given up ends
    by itself, perhaps while it is asked."""
    try:
        if (await qmp.status()).status != "inmigrate":
            return None
        return (await _migration(qmp)).get("status") in (*_ON_THE_WAY, "completed")
    except Unavailable:
        return False


async def _migration(qmp: Qmp) -> dict[str, Any]:
    found: dict[str, Any] = await qmp.execute("query-migrate")
    return found


async def _job(qmp: Qmp, job: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = await qmp.execute("query-block-jobs")
    return next((one for one in found if one["device"] == job), None)


def _names(disk: Disk) -> tuple[str, str]:
    """The job's name, and the name of the node that it writes to."""
    node = node_name(disk.id)
    return f"send-{node}", f"s{node[1:]}"
