"""What the guest of a simulated machine writes on its serial console: a plausible boot, made from the machine's spec."""

from minicloud.drivers.hypervisor import Machine

_BOOT = """\
[    0.000000] Linux version 6.1.0-cloud-amd64 (simulated) #1 SMP PREEMPT_DYNAMIC
[    0.000000] Command line: {command_line}
[    0.000000] DMI: OpenStack Foundation OpenStack Nova, BIOS simulated
[    0.004211] Memory: {memory_kb}K/{memory_kb}K available
[    0.012873] smpboot: Allowing {vcpus} CPUs, 0 hotplug CPUs
[    0.318340] printk: console [ttyS0] enabled
{disks}{nics}[    0.911002] EXT4-fs (vda2): mounted filesystem with ordered data mode. Quota mode: none.
[    1.204117] Run /sbin/init as init process
[    1.350091] cloud-init[212]: instance-id: {id}
[    1.402288] cloud-init[212]: setting hostname to {hostname}
[    1.611540] cloud-init[212]: finished, datasource OpenStack

Simulated guest {hostname} ttyS0

{hostname} login: \
"""
_POWER_OFF = "\r\nThe system is going down NOW!\n[    9.120034] reboot: Power down\n"
_CRASH = "\n[    5.771190] Kernel panic - not syncing: simulated crash\n"
_NMI = "\n[    7.310588] Uhhuh. NMI received for unknown reason 3d on CPU 0.\n[    7.310588] Dazed and confused, but trying to continue\n"
_SAID = {"poweroff": _POWER_OFF, "crash": _CRASH, "nmi": _NMI}


def console_text(machine: Machine, events: list[str]) -> bytes:
    """The console after these events (``boot``, ``poweroff``, ``crash``, ``nmi``), oldest first."""
    parts: list[str] = []
    for event in events:
        parts.append(_boot(machine) if event == "boot" else _SAID[event])
    return "".join(parts).encode()


def _boot(machine: Machine) -> str:
    disks = [
        f"[    0.4{n:02d}217] virtio_blk virtio{n}: [vd{chr(97 + n)}] {disk.serial or disk.id}\n"
        for n, disk in enumerate(machine.disks[:26])
    ]
    nics = [
        f"[    0.6{n:02d}905] virtio_net eth{n}: address {nic.mac} mtu {nic.mtu}\n"
        for n, nic in enumerate(machine.nics[:26])
    ]
    return _BOOT.format(
        command_line=machine.command_line or "console=ttyS0 quiet root=/dev/vda2",
        memory_kb=machine.memory_mb * 1024,
        vcpus=machine.vcpus,
        disks="".join(disks),
        nics="".join(nics),
        id=machine.id,
        hostname=machine.properties.get("hostname", machine.name),
    )
