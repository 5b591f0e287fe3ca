"""A machine's specification as QEMU's command line: a pure function, so that what runs can be read, printed and tested."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid
from minicloud.drivers.fabric import UserPlug
from minicloud.drivers.hypervisor import Machine
from minicloud.drivers.hypervisor.qemu import board
from minicloud.drivers.hypervisor.qemu.devices import (
    block_node,
    disk_device,
    escape,
    nic_backend,
    nic_device,
    option,
)
from minicloud.drivers.hypervisor.qemu.layout import Layout, ports

UEFI_CODE, UEFI_VARIABLES = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"


class Emulator(msgspec.Struct, frozen=True, kw_only=True):
    """Which QEMU runs machines, and how. ``firmware`` is the folder of Debian's ``ovmf``; None when it is not installed.

    ``cells``: the host has several, and a machine's memory comes from those in which it sits.
    """

    binary: str
    accelerator: Literal["kvm", "tcg"]
    sandbox: bool = True
    firmware: str | None = None
    cells: bool = False


def command_line(machine: Machine, emulator: Emulator, taps: Mapping[str, Sequence[int]], layout: Layout) -> list[str]:
    """The argument list; relative names in it lie in the machine's own folder.

    Args:
        taps: the open file descriptors of each card with a tap, one for each of its queues, by the card's id.
        layout: where each device sits; a machine that starts anew has a ``fresh`` one.

    Raises:
        Invalid: the specification cannot be built.
    """
    if not is_uuid(machine.id):
        raise Invalid(f"machine id {machine.id!r} is not a UUID")
    if machine.vcpus < 1 or machine.memory_mb < 1:
        raise Invalid(f"a machine needs a processor and memory, not {machine.vcpus} and {machine.memory_mb} MiB")
    argv = [emulator.binary]
    argv += ["-name", f"guest={escape(machine.name)},debug-threads=on", "-uuid", machine.id]
    argv += ["-machine", board.machine(machine), "-accel", emulator.accelerator]
    argv += [
        "-cpu",
        "host" if emulator.accelerator == "kvm" else "max",
        *board.processors(machine, bound=emulator.cells),
    ]
    argv += ["-nodefaults", "-no-user-config", "-display", "none", "-pidfile", "pid"]
    if emulator.sandbox:
        argv += ["-sandbox", _sandbox(machine)]
    if emulator.accelerator == "tcg":
        # A reset inside one process costs TCG up to 2.7 times a fresh boot: we start a new process instead.
        argv += ["-action", "reboot=shutdown"]
    argv += ["-smbios", _smbios(machine.id)]
    argv += ["-chardev", "socket,id=qmp,path=qmp,server=on,wait=off", "-mon", "chardev=qmp,mode=control"]
    argv += ["-chardev", "socket,id=monitor,path=monitor,server=on,wait=off", "-mon", "chardev=monitor,mode=readline"]
    argv += [
        *("-chardev", "socket,id=serial0,path=serial,server=on,wait=off,logfile=console.log,logappend=on"),
        *("-serial", "chardev:serial0"),
    ]
    argv += _boot(machine, emulator)
    argv += board.extras(machine.hardware)
    # A kernel of its own takes the first place in the firmware's order: QEMU refuses a disk that claims it, too.
    argv += ports(layout)
    argv += _disks(machine, layout, in_order=machine.kernel is None)
    for nic in machine.nics:
        argv += ["-netdev", nic_backend(nic, taps), "-device", option(nic_device(nic, layout))]
    return argv


def _sandbox(machine: Machine) -> str:
    # The metadata way of user networking starts a program per connection; everything else never needs one. Between fork and
    # exec it calls setsid, which elevateprivileges=deny (and =children) answers with a silent death.
    if any(isinstance(nic.plug, UserPlug) and "-cmd:" in nic.plug.options for nic in machine.nics):
        return "on,obsolete=deny,elevateprivileges=allow,spawn=allow,resourcecontrol=deny"
    return "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def _smbios(machine_id: str) -> str:
    # cloud-init looks for this product name, and does nothing at all without it.
    return (
        "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=27.0.0,"
        f"serial={machine_id},uuid={machine_id},family=Virtual Machine"
    )


def _boot(machine: Machine, emulator: Emulator) -> list[str]:
    argv = []
    if machine.firmware == "uefi":
        if emulator.firmware is None:
            raise Invalid("this host has no UEFI firmware")
        if machine.hardware.secure_boot:
            raise Invalid("this host offers no secure boot")
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={escape(emulator.firmware)}/{UEFI_CODE}"]
        argv += ["-drive", "if=pflash,format=raw,file=vars.fd"]
    if machine.kernel is not None:
        argv += ["-kernel", machine.kernel]
        if machine.ramdisk is not None:
            argv += ["-initrd", machine.ramdisk]
        if machine.command_line is not None:
            argv += ["-append", machine.command_line]
    elif machine.ramdisk is not None or machine.command_line is not None:
        raise Invalid("a ramdisk or a kernel command line without a kernel cannot be booted")
    return argv


def _disks(machine: Machine, layout: Layout, *, in_order: bool) -> list[str]:
    argv = []
    if layout.scsi or any(disk.bus == "scsi" for disk in machine.disks):
        argv += ["-device", board.scsi(machine.hardware)]
    for disk in machine.disks:
        argv += ["-blockdev", json.dumps(block_node(disk), separators=(",", ":"))]
        argv += ["-device", option(disk_device(disk, layout, in_order=in_order))]
    return argv
