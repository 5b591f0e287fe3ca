"""Attaches and detaches disks and cards: of a machine that is off in its record alone, of any other by QMP, under the guest's eyes.

The record is written before QEMU is asked, and again after QEMU let go: whoever dies in between, asks again and comes to the
same end, because each step looks first at what QEMU has.
"""

import asyncio

import anyio
import msgspec

from minicloud.base import trace
from minicloud.base.errors import CloudError, Conflict, Failed, Invalid, NotFound, TimedOut
from minicloud.drivers.fabric import TapPlug, UserPlug
from minicloud.drivers.hypervisor import Disk, Machine, Nic, PowerState, Throttle
from minicloud.drivers.hypervisor.qemu import plugs
from minicloud.drivers.hypervisor.qemu.devices import (
    SCSI,
    block_node,
    disk_device,
    nic_backend,
    nic_device,
    throttling,
)
from minicloud.drivers.hypervisor.qemu.folder import Record
from minicloud.drivers.hypervisor.qemu.layout import disk_device_name, needs_port, net_name, nic_device_name
from minicloud.drivers.hypervisor.qemu.qmp import Qmp
from minicloud.drivers.hypervisor.qemu.vm import Vm

_ASK_AGAIN_S = 5.0
_LOOK_AGAIN_S = 0.5
_LET_GO_S = 30.0


async def attach_disk(vm: Vm, disk: Disk) -> None:
    """As the promise's ``ensure_disk_attached``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is None:
            vm.keep(record.with_disk(disk))
            return
        if disk.bus == "ide":
            raise Conflict(f"disk {disk.id} cannot be attached: no disk comes to an IDE bus while the machine runs")
        if disk.bus == "scsi" and SCSI not in await _devices(qmp):
            raise Conflict(f"disk {disk.id} cannot be attached: the machine was started without a SCSI controller")
        vm.keep(_placed(record, disk, disk_device_name(disk.id)).with_disk(disk))
        try:
            if record.node(disk.id) not in await _nodes(qmp):
                await qmp.execute("blockdev-add", block_node(disk))
            if disk_device_name(disk.id) not in await _devices(qmp):
                layout = vm.known().layout
                await qmp.execute("device_add", disk_device(disk, layout, in_order=False))
            if disk.throttle is not None:
                await qmp.execute("block_set_io_throttle", throttling(disk, disk.throttle))
        except CloudError:
            with anyio.CancelScope(shield=True):
                if disk_device_name(disk.id) not in await _devices(qmp):
                    await _drop_node(vm, qmp, disk.id)
                    vm.keep(record)
            raise


async def detach_disk(vm: Vm, disk_id: str, timeout_s: float) -> None:
    """As the promise's ``ensure_disk_detached``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is not None:
            known = next((disk for disk in record.machine.disks if disk.id == disk_id), None)
            if known is not None and known.bus == "ide":
                raise Conflict(f"disk {disk_id} cannot be detached: no disk leaves an IDE bus while the machine runs")
            await _unplugged(vm, qmp, disk_device_name(disk_id), timeout_s)
            await _drop_node(vm, qmp, disk_id)
        left = record.without_disk(disk_id)
        vm.keep(_without(left, left.machine, disk_device_name(disk_id)))


async def size_disk(vm: Vm, disk_id: str, size_bytes: int) -> bool:
    """As the promise's ``ensure_disk_size``."""
    async with vm.by_itself() as (record, qmp):
        _disk(record.machine, disk_id)
        if qmp is None:
            return False
        await qmp.execute("block_resize", {"node-name": record.node(disk_id), "size": size_bytes})
        return True


async def throttle_disk(vm: Vm, disk_id: str, throttle: Throttle | None) -> None:
    """As the promise's ``ensure_disk_throttle``."""
    async with vm.by_itself() as (record, qmp):
        disk = _disk(record.machine, disk_id)
        if qmp is not None:
            await qmp.execute("block_set_io_throttle", throttling(disk, throttle))
        vm.keep(record.with_disk(msgspec.structs.replace(disk, throttle=throttle)))


async def attach_nic(vm: Vm, nic: Nic) -> None:
    """As the promise's ``ensure_nic_attached``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is None:
            vm.keep(_with_nic(record, nic))
            return
        vm.keep(_with_nic(_placed(record, nic, nic_device_name(nic.id)), nic))
        try:
            if nic_device_name(nic.id) not in await _devices(qmp):
                # What an earlier try left of it: its tap could not be opened a second time.
                await _drop_net(qmp, nic.id)
                await _add_net(qmp, nic, record)
                await qmp.execute("device_add", nic_device(nic, vm.known().layout))
        except CloudError:
            with anyio.CancelScope(shield=True):
                if nic_device_name(nic.id) not in await _devices(qmp):
                    await _drop_net(qmp, nic.id)
                    vm.keep(record)
            raise


async def detach_nic(vm: Vm, nic_id: str, timeout_s: float) -> None:
    """As the promise's ``ensure_nic_detached``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is not None:
            await _unplugged(vm, qmp, nic_device_name(nic_id), timeout_s)
            await _drop_net(qmp, nic_id)
        nics = [nic for nic in record.machine.nics if nic.id != nic_id]
        machine = msgspec.structs.replace(record.machine, nics=nics)
        vm.keep(_without(record, machine, nic_device_name(nic_id)))


async def _unplugged(vm: Vm, qmp: Qmp, name: str, timeout_s: float) -> None:
    """The guest has let go of a device, or there was none. Raises Conflict, Failed, TimedOut."""
    if name not in await _devices(qmp):
        return
    facts = vm.facts()
    if facts is not None and facts.power_state is PowerState.PAUSED:
        raise Conflict(f"machine {vm.machine_id} is paused: its guest cannot let go of {name}")
    with anyio.move_on_after(timeout_s):
        while True:
            vm.refusals.discard(name)
            try:
                await qmp.execute("device_del", {"id": name})
            except Failed as error:
                if name not in await _devices(qmp):
                    return
                if "in the process of unplug" not in error.message:
                    raise
            with anyio.move_on_after(_ASK_AGAIN_S):
                while not vm.hurried and name not in vm.refusals:
                    if name not in await _devices(qmp):
                        trace.note("device_unplugged", machine=vm.machine_id, device=name)
                        return
                    await _stir(vm)
            if vm.hurried:
                raise Conflict(f"machine {vm.machine_id} is being powered off")
            if name in vm.refusals:
                raise Failed(f"the guest of machine {vm.machine_id} refused to let go of {name}")
    raise TimedOut(f"the guest of machine {vm.machine_id} did not let go of {name} within {timeout_s:g} s")


async def _stir(vm: Vm) -> None:
    """Until QEMU tells something about its devices, or a moment: events are lost while nobody is connected."""
    vm.stirred.clear()
    try:
        await asyncio.wait_for(vm.stirred.wait(), _LOOK_AGAIN_S)
    except TimeoutError:
        return


async def _devices(qmp: Qmp) -> set[str]:
    return {item["name"] for item in await qmp.execute("qom-list", {"path": "/machine/peripheral"})}


async def _nodes(qmp: Qmp) -> set[str]:
    return {node["node-name"] for node in await qmp.execute("query-named-block-nodes", {"flat": True})}


async def _drop_node(vm: Vm, qmp: Qmp, disk_id: str) -> None:
    """Nothing in QEMU holds the disk's file. A device that is gone holds it for a moment longer."""
    with anyio.move_on_after(_LET_GO_S):
        node = vm.known().node(disk_id)
        while node in await _nodes(qmp):
            try:
                await qmp.execute("blockdev-del", {"node-name": node})
            except Failed as error:
                if "is in use" not in error.message:
                    raise
                await _stir(vm)
        return
    raise TimedOut(f"QEMU of machine {vm.machine_id} holds the file of disk {disk_id}")


async def _drop_net(qmp: Qmp, nic_id: str) -> None:
    try:
        await qmp.execute("netdev_del", {"id": net_name(nic_id)})
    except Failed as error:
        if "not found" not in error.message:
            raise


async def _add_net(qmp: Qmp, nic: Nic, record: Record) -> None:
    if isinstance(nic.plug, TapPlug):
        descriptors = await plugs.open_tap(nic.plug)
        names = [f"{net_name(nic.id)}-{number}" for number in range(len(descriptors))]
        try:
            for name, descriptor in zip(names, descriptors, strict=True):
                await qmp.execute("getfd", {"fdname": name}, descriptor=descriptor)
        finally:
            plugs.close(descriptors)
        way = {"fd": names[0]} if len(names) == 1 else {"fds": ":".join(names)}
        await qmp.execute("netdev_add", {"type": "tap", "id": net_name(nic.id), **way})
        return
    if isinstance(nic.plug, UserPlug) and "-cmd:" in nic.plug.options and _spawns_nothing(record):
        # QEMU's sandbox, which nobody can open later, would answer the first connection with death.
        raise Conflict("the machine was started without a card that needs programs: a hard reboot attaches this one")
    options = nic_backend(nic, {})
    if '"' in options or "\\" in options or "\n" in options:
        raise Invalid(f"user networking with these options cannot be attached: {options}")
    # QMP wants these options taken apart; the monitor takes them as the command line does.
    said = await qmp.execute("human-monitor-command", {"command-line": f'netdev_add "{options}"'})
    if said:
        raise Failed(f"QEMU refused the network of card {nic.id}: {str(said).strip()}")


def _spawns_nothing(record: Record) -> bool:
    return any("spawn=deny" in word for word in record.argv)


def _disk(machine: Machine, disk_id: str) -> Disk:
    for disk in machine.disks:
        if disk.id == disk_id:
            return disk
    raise NotFound(f"machine {machine.id} has no disk {disk_id}")


def _with_nic(record: Record, nic: Nic) -> Record:
    nics = [nic if known.id == nic.id else known for known in record.machine.nics]
    if nic not in nics:
        nics.append(nic)
    return msgspec.structs.replace(record, machine=msgspec.structs.replace(record.machine, nics=nics))


def _placed(record: Record, device: Disk | Nic, name: str) -> Record:
    if not needs_port(device) or name in record.layout.places:
        return record
    return msgspec.structs.replace(record, layout=record.layout.with_device(name))


def _without(record: Record, machine: Machine, name: str) -> Record:
    return msgspec.structs.replace(record, machine=machine, layout=record.layout.without(name))
