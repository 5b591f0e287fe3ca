"""A machine's specification as QEMU's command line: a pure function, so that what runs can be read, printed and tested."""

import json
from collections.abc import Mapping
from typing import Literal

import msgspec

from minicloud.base.errors import Invalid
from minicloud.base.ids import is_uuid
from minicloud.drivers.fabric import TapPlug, UserPlug
from minicloud.drivers.hypervisor import Disk, Machine, Nic

UEFI_CODE, UEFI_VARIABLES = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"

HOT_PLUG_PORTS = 8
"""Empty PCI Express ports per machine, for disks and cards that are attached later."""

_NIC_DEVICES = {"virtio": "virtio-net-pci", "e1000": "e1000", "rtl8139": "rtl8139"}
_IDE_PORTS = 6


class Emulator(msgspec.Struct, frozen=True, kw_only=True):
    """Which QEMU runs machines, and how. ``firmware`` is the folder of Debian's ``ovmf``; None when it is not installed."""

    binary: str
    accelerator: Literal["kvm", "tcg"]
    sandbox: bool = True
    firmware: str | None = None


def command_line(machine: Machine, emulator: Emulator, taps: Mapping[str, int]) -> list[str]:
    """The argument list; relative names in it lie in the machine's own folder.

    Args:
        taps: an open file descriptor for each card with a tap, by the card's id.

    Raises:
        Invalid: the specification cannot be built.
    """
    if not is_uuid(machine.id):
        raise Invalid(f"machine id {machine.id!r} is not a UUID")
    if machine.vcpus < 1 or machine.memory_mb < 1:
        raise Invalid(f"a machine needs a processor and memory, not {machine.vcpus} and {machine.memory_mb} MiB")
    argv = [emulator.binary]
    argv += ["-name", f"guest={_escape(machine.name)},debug-threads=on", "-uuid", machine.id]
    argv += ["-machine", "q35", "-accel", emulator.accelerator]
    argv += ["-cpu", "host" if emulator.accelerator == "kvm" else "max"]
    argv += ["-smp", f"{machine.vcpus},sockets={machine.vcpus},cores=1,threads=1", "-m", str(machine.memory_mb)]
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
    if machine.rng:
        # Without it a guest's first SSH host key waits for a second or more.
        argv += ["-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,id=rng,rng=rng0"]
    # A kernel of its own takes the first place in the firmware's order: QEMU refuses a disk that claims it, too.
    argv += _disks(machine.disks, in_order=machine.kernel is None)
    for number, nic in enumerate(machine.nics):
        argv += _nic(number, nic, taps)
    for number in range(1, HOT_PLUG_PORTS + 1):
        argv += ["-device", f"pcie-root-port,id=port{number},chassis={number},slot={number}"]
    return argv


def node_name(disk_id: str) -> str:
    """The name of a disk's top block node: at most 31 characters, beginning with a letter."""
    plain = "".join(letter for letter in disk_id if letter.isalnum() or letter in "-_.")
    return f"d-{plain if len(plain) <= 29 else plain.replace('-', '')[:29]}"


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
        argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={_escape(emulator.firmware)}/{UEFI_CODE}"]
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


def _disks(disks: list[Disk], *, in_order: bool) -> list[str]:
    argv = []
    ide = 0
    if any(disk.bus == "scsi" for disk in disks):
        argv += ["-device", "virtio-scsi-pci,id=scsi0"]
    if len({node_name(disk.id) for disk in disks}) < len(disks):
        raise Invalid("two disks of the machine have ids that are too much alike")
    for disk in disks:
        read_only = disk.read_only or disk.device == "cdrom"
        argv += ["-blockdev", _block(disk, read_only)]
        place = ""
        if disk.bus == "ide":
            if ide == _IDE_PORTS:
                raise Invalid(f"a machine has {_IDE_PORTS} IDE ports: use virtio or scsi for more disks")
            place, ide = f",bus=ide.{ide}", ide + 1
        elif disk.bus == "scsi":
            place = ",bus=scsi0.0"
        argv += ["-device", _device(disk, in_order) + place]
    return argv


def _block(disk: Disk, read_only: bool) -> str:
    file = {"driver": "file", "filename": disk.path, "read-only": read_only, "discard": "unmap"}
    node = {"driver": disk.format, "node-name": node_name(disk.id), "read-only": read_only, "discard": "unmap"}
    return json.dumps({**node, "file": file}, separators=(",", ":"))


def _device(disk: Disk, in_order: bool) -> str:
    cdrom = disk.device == "cdrom"
    if disk.bus == "virtio":
        # Few cloud kernels know a CD-ROM on q35's own controller: on this bus it is a read-only disk.
        kind = "virtio-blk-pci"
    elif disk.bus == "nvme":
        kind = "nvme"
    else:
        kind = f"{disk.bus}-{'cd' if cdrom else 'hd'}"
    text = f"{kind},id={node_name(disk.id)}-device,drive={node_name(disk.id)}"
    if in_order and disk.boot_index is not None:
        text += f",bootindex={disk.boot_index}"
    serial = disk.serial or (disk.id if disk.bus == "nvme" else None)
    return text + (f",serial={_escape(serial[:20])}" if serial else "")


def _nic(number: int, nic: Nic, taps: Mapping[str, int]) -> list[str]:
    if isinstance(nic.plug, TapPlug):
        back = f"tap,id=net{number},fd={taps[nic.id]}"
    elif isinstance(nic.plug, UserPlug):
        back = f"user,id=net{number},{nic.plug.options}"
    else:
        # A simulated network: the card is there, and nobody answers.
        back = f"user,id=net{number},restrict=on"
    front = f"{_NIC_DEVICES[nic.model]},id=nic-{nic.id},netdev=net{number},mac={nic.mac},romfile="
    if nic.model == "virtio":
        front += f",host_mtu={nic.mtu}"
    return ["-netdev", back, "-device", front]


def _escape(text: str) -> str:
    """Commas separate QEMU's options; doubled ones are meant."""
    return text.replace(",", ",,")
