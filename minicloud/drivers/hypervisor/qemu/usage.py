"""What a machine has used: its processors' threads and memory as the kernel counts them, its disks as QEMU does, its taps."""

import contextlib
from pathlib import Path

from minicloud.base.errors import Conflict
from minicloud.drivers.fabric import TapPlug
from minicloud.drivers.hypervisor import DiskUsage, Machine, MachineUsage, Nic, NicUsage
from minicloud.drivers.hypervisor.qemu import plugs
from minicloud.drivers.hypervisor.qemu.layout import disk_device_name
from minicloud.drivers.hypervisor.qemu.qmp import Qmp
from minicloud.drivers.hypervisor.qemu.vm import Vm

_FAILED = ("failed_rd_operations", "failed_wr_operations", "failed_flush_operations")


async def usage(vm: Vm) -> MachineUsage:
    """As the promise's ``usage``."""
    async with vm.by_itself() as (record, qmp):
        if qmp is None or record.pid is None:
            raise Conflict(f"machine {vm.machine_id} is {record.power}: nothing of it can be measured")
        threads = [cpu["thread-id"] for cpu in await qmp.execute("query-cpus-fast")]
        disks = await _disks(qmp, record.machine)
    return MachineUsage(
        cpu_ns=[_ran_ns(record.pid, thread) for thread in threads],
        memory_mb=record.machine.memory_mb,
        resident_mb=_resident_mb(record.pid),
        disks=disks,
        nics=[await _nic(nic) for nic in record.machine.nics],
    )


async def _disks(qmp: Qmp, machine: Machine) -> list[DiskUsage]:
    found = {}
    for one in await qmp.execute("query-blockstats"):
        for part in str(one.get("qdev", "")).split("/"):
            found[part] = one["stats"]
    used = []
    for disk in machine.disks:
        stats = found.get(disk_device_name(disk.id), {})
        used.append(
            DiskUsage(
                id=disk.id,
                read_bytes=stats.get("rd_bytes", 0),
                read_requests=stats.get("rd_operations", 0),
                write_bytes=stats.get("wr_bytes", 0),
                write_requests=stats.get("wr_operations", 0),
                errors=sum(stats.get(name, 0) for name in _FAILED),
            )
        )
    return used


async def _nic(nic: Nic) -> NicUsage:
    counts = await plugs.counters(nic.plug) if isinstance(nic.plug, TapPlug) else None
    if counts is None:
        return NicUsage(id=nic.id, mac=nic.mac)
    # What the tap has received, the guest has sent.
    sent, came = counts[:4], counts[8:12]
    return NicUsage(
        id=nic.id,
        mac=nic.mac,
        rx_bytes=came[0],
        rx_packets=came[1],
        rx_errors=came[2],
        rx_drop=came[3],
        tx_bytes=sent[0],
        tx_packets=sent[1],
        tx_errors=sent[2],
        tx_drop=sent[3],
    )


def _ran_ns(pid: int, thread: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return 0


def _resident_mb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) >> 10
    return 0
