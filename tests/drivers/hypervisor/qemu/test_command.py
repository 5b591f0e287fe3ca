"""Specifications as command lines: what every machine gets, what each kind of disk and card becomes, what cannot be built."""

import json

import msgspec
import pytest

from minicloud.base.errors import Invalid
from minicloud.drivers.fabric import FakePlug, TapPlug, UserPlug
from minicloud.drivers.hypervisor import Cell, Disk, Hardware, Machine, Nic
from minicloud.drivers.hypervisor.qemu.command import Emulator, command_line
from minicloud.drivers.hypervisor.qemu.layout import FREE_PORTS, fresh, node_name

ID = "6f8d8a3c-5a52-4f5c-9d3e-0a7f3c1b2d4e"
TCG = Emulator(binary="qemu-system-x86_64", accelerator="tcg")
MACHINE = Machine(id=ID, name="instance-00000001", vcpus=2, memory_mb=256)


def line(machine: Machine = MACHINE, emulator: Emulator = TCG, taps: dict[str, int] | None = None) -> list[str]:
    return command_line(machine, emulator, taps or {}, fresh(machine))


def values(argv: list[str], option: str) -> list[str]:
    return [argv[n + 1] for n, word in enumerate(argv) if word == option]


def a_machine(**changes: object) -> Machine:
    return msgspec.structs.replace(MACHINE, **changes)


def a_nic(plug: FakePlug | TapPlug | UserPlug, **more: object) -> Nic:
    return msgspec.convert({"id": "p1", "mac": "fa:16:3e:00:00:01", "plug": plug, **more}, Nic)


def test_a_plain_machine_word_by_word() -> None:
    assert line() == [
        *("qemu-system-x86_64", "-name", "guest=instance-00000001,debug-threads=on", "-uuid", ID),
        *("-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2,sockets=2,cores=1,threads=1", "-m", "256"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-pidfile", "pid"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-action", "reboot=shutdown"),
        "-smbios",
        "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=27.0.0,"
        f"serial={ID},uuid={ID},family=Virtual Machine",
        *("-chardev", "socket,id=qmp,path=qmp,server=on,wait=off", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", "socket,id=monitor,path=monitor,server=on,wait=off", "-mon", "chardev=monitor,mode=readline"),
        *("-chardev", "socket,id=serial0,path=serial,server=on,wait=off,logfile=console.log,logappend=on"),
        *("-serial", "chardev:serial0"),
        *("-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,id=rng,rng=rng0"),
        *("-device", "pcie-root-port,id=port1,chassis=1,slot=1,addr=0x10.0,multifunction=on"),
        *(
            word
            for n in range(2, 9)
            for word in ("-device", f"pcie-root-port,id=port{n},chassis={n},slot={n},addr=0x10.{n - 1}")
        ),
    ]


def test_kvm_has_the_hosts_processor_and_resets_in_place() -> None:
    argv = line(emulator=Emulator(binary="q", accelerator="kvm", sandbox=False))
    assert values(argv, "-accel") == ["kvm"]
    assert values(argv, "-cpu") == ["host"]
    assert "-action" not in argv
    assert "-sandbox" not in argv


def test_a_root_disk_states_its_format_and_boots_first() -> None:
    disk = Disk(id="root", path="/data/a,b/disk", boot_index=0, serial="6f8d8a3c-5a52-4f5c-9d3e-0a7f3c1b2d4e")
    argv = line(a_machine(disks=[disk]))
    block = json.loads(values(argv, "-blockdev")[0])
    assert (block["driver"], block["file"]["filename"], block["read-only"]) == ("qcow2", "/data/a,b/disk", False)
    assert "virtio-blk-pci,id=d-root-device,drive=d-root,bootindex=0,serial=6f8d8a3c-5a52-4f5c-9,bus=port1" in argv


def test_each_bus_and_device() -> None:
    disks = [
        Disk(id="a", path="/a", bus="scsi"),
        Disk(id="b", path="/b", bus="scsi", device="cdrom", format="raw"),
        Disk(id="c", path="/c", bus="ide"),
        Disk(id="d", path="/d", bus="ide", device="cdrom", format="raw"),
        Disk(id="e", path="/e", bus="nvme"),
        Disk(id="f", path="/f", device="cdrom", format="raw"),
        Disk(id="g", path="/g", read_only=True),
    ]
    argv = line(a_machine(disks=disks))
    devices = values(argv, "-device")
    assert devices.count("virtio-scsi-pci,id=scsi0") == 1
    for device in (
        "scsi-hd,id=d-a-device,drive=d-a,bus=scsi0.0",
        "scsi-cd,id=d-b-device,drive=d-b,bus=scsi0.0",
        "ide-hd,id=d-c-device,drive=d-c,bus=ide.0",
        "ide-cd,id=d-d-device,drive=d-d,bus=ide.1",
        "nvme,id=d-e-device,drive=d-e,serial=e,bus=port1",
        "virtio-blk-pci,id=d-f-device,drive=d-f,bus=port2",
    ):
        assert device in devices
    blocks = {block["node-name"]: block for block in map(json.loads, values(argv, "-blockdev"))}
    assert [name for name, block in blocks.items() if block["read-only"]] == ["d-b", "d-d", "d-f", "d-g"]
    assert all(block["file"]["read-only"] == block["read-only"] for block in blocks.values())


def test_cards_by_tap_by_user_network_and_simulated() -> None:
    tap = a_nic(TapPlug(namespace="/run/netns/x", name="tap-1"), id="p1")
    user = a_nic(UserPlug(options="net=169.254.0.0/16,restrict=on"), id="p2", model="e1000")
    fake = a_nic(FakePlug(name="x"), id="p3", mtu=9000)
    argv = line(a_machine(nics=[tap, user, fake]), taps={"p1": [42]})
    assert values(argv, "-netdev") == [
        "tap,id=net-p1,fd=42",
        "user,id=net-p2,net=169.254.0.0/16,restrict=on",
        "user,id=net-p3,restrict=on",
    ]
    devices = values(argv, "-device")
    assert "virtio-net-pci,id=nic-p1,netdev=net-p1,mac=fa:16:3e:00:00:01,romfile=,bus=port1,host_mtu=1450" in devices
    assert "e1000,id=nic-p2,netdev=net-p2,mac=fa:16:3e:00:00:01,romfile=,bus=port2" in devices
    assert "virtio-net-pci,id=nic-p3,netdev=net-p3,mac=fa:16:3e:00:00:01,romfile=,bus=port3,host_mtu=9000" in devices


def test_a_card_with_several_queues() -> None:
    tap = a_nic(TapPlug(namespace="/run/netns/x", name="tap-1", queues=3), id="p1")
    argv = line(a_machine(nics=[tap]), taps={"p1": [42, 43, 44]})
    assert values(argv, "-netdev") == ["tap,id=net-p1,fds=42:43:44"]
    [device] = [device for device in values(argv, "-device") if device.startswith("virtio-net-pci")]
    assert device.endswith(",host_mtu=1450,mq=on,vectors=8")


def test_only_metadata_by_program_lets_qemu_start_programs() -> None:
    forwards = "net=169.254.0.0/16,guestfwd=tcp:169.254.169.254:80-cmd:socat STDIO UNIX-CONNECT:md.sock"
    spawning = line(a_machine(nics=[a_nic(UserPlug(options=forwards))]))
    assert "elevateprivileges=allow,spawn=allow" in values(spawning, "-sandbox")[0]
    assert "spawn=deny" in values(line(a_machine(nics=[a_nic(UserPlug(options="restrict=on"))])), "-sandbox")[0]


def test_direct_boot_and_firmware() -> None:
    argv = line(a_machine(kernel="/k", ramdisk="/r", command_line="console=ttyS0 root=/dev/vda"))
    assert values(argv, "-kernel") + values(argv, "-initrd") == ["/k", "/r"]
    assert values(argv, "-append") == ["console=ttyS0 root=/dev/vda"]
    with_disk = line(a_machine(kernel="/k", disks=[Disk(id="root", path="/d", boot_index=0)]))
    assert "virtio-blk-pci,id=d-root-device,drive=d-root,bus=port1" in values(with_disk, "-device")
    uefi = line(a_machine(firmware="uefi"), Emulator(binary="q", accelerator="tcg", firmware="/usr/share/OVMF"))
    assert values(uefi, "-drive") == [
        "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
        "if=pflash,format=raw,file=vars.fd",
    ]
    assert "virtio-rng-pci,id=rng,rng=rng0" not in line(a_machine(hardware=Hardware(rng=False)))


def test_processors_cells_and_pages() -> None:
    spread = line(a_machine(vcpus=8, hardware=Hardware(sockets=2, cores=2, threads=2)))
    assert values(spread, "-smp") == ["8,sockets=2,cores=2,threads=2"]
    cells = [Cell(cpus=[0, 1], memory_mb=192), Cell(cpus=[3, 2], memory_mb=64)]
    argv = line(a_machine(vcpus=4, hardware=Hardware(cells=cells)))
    assert values(argv, "-numa") == [
        "node,nodeid=0,cpus=0,cpus=1,memdev=ram0",
        "node,nodeid=1,cpus=3,cpus=2,memdev=ram1",
    ]
    assert values(argv, "-object")[:2] == [
        "memory-backend-ram,id=ram0,size=192M",
        "memory-backend-ram,id=ram1,size=64M",
    ]
    large = line(a_machine(hardware=Hardware(page_kb=2048)))
    assert values(large, "-machine") == ["q35,memory-backend=ram0"]
    assert values(large, "-object")[0] == (
        "memory-backend-memfd,id=ram0,size=256M,hugetlb=on,hugetlbsize=2048K,prealloc=on"
    )
    both = line(a_machine(vcpus=4, hardware=Hardware(cells=cells, page_kb=2048)))
    assert values(both, "-machine") == ["q35"]
    assert "hugetlb=on" in values(both, "-object")[1]


def test_memory_comes_from_where_its_cell_sits() -> None:
    cells = [Cell(cpus=[0], memory_mb=192, host_cell=3), Cell(cpus=[1], memory_mb=64, host_cell=1, pins={1: 5})]
    seated = a_machine(hardware=Hardware(cells=cells))
    several = Emulator(binary="q", accelerator="tcg", cells=True)
    assert values(line(seated, several), "-object")[:2] == [
        "memory-backend-ram,id=ram0,size=192M,host-nodes=3,policy=bind",
        "memory-backend-ram,id=ram1,size=64M,host-nodes=1,policy=bind",
    ]
    assert "host-nodes" not in " ".join(line(seated)), "where there is but one, nobody needs the right to choose"
    unseated = a_machine(hardware=Hardware(cells=[Cell(cpus=[0, 1], memory_mb=256)]))
    assert "host-nodes" not in " ".join(line(unseated, several))


def test_what_flavors_and_images_add() -> None:
    hardware = Hardware(
        machine_type="pc-q35-7.2",
        rng_bytes=64,
        rng_period_ms=100,
        watchdog="poweroff",
        guest_agent=True,
        video="virtio",
        input_bus="usb",
        tablet=True,
        scsi="lsilogic",
    )
    argv = line(a_machine(hardware=hardware, disks=[Disk(id="a", path="/a", bus="scsi")]))
    assert values(argv, "-machine") == ["pc-q35-7.2"]
    assert "watchdog=poweroff" in values(argv, "-action")
    assert "socket,id=agent,path=agent,server=on,wait=off" in values(argv, "-chardev")
    for device in (
        "virtio-rng-pci,id=rng,rng=rng0,max-bytes=64,period=100",
        "i6300esb,id=watchdog",
        "virtserialport,id=agent0,bus=channels.0,chardev=agent,name=org.qemu.guest_agent.0",
        "virtio-vga,id=video",
        "usb-kbd,id=keyboard,bus=usb.0",
        "usb-tablet,id=pointer,bus=usb.0",
        "lsi53c895a,id=scsi0",
    ):
        assert device in values(argv, "-device")


def test_the_older_machine_has_one_bus() -> None:
    disks = [Disk(id="a", path="/a"), *(Disk(id=f"i{n}", path="/i", bus="ide") for n in range(3))]
    nic = a_nic(FakePlug(name="x"))
    argv = line(a_machine(hardware=Hardware(machine_type="pc"), disks=disks, nics=[nic]))
    devices = values(argv, "-device")
    assert "virtio-blk-pci,id=d-a-device,drive=d-a,bus=pci.0,addr=0x8" in devices
    assert "ide-hd,id=d-i2-device,drive=d-i2,bus=ide.1,unit=0" in devices
    assert any(device.startswith("virtio-net-pci") and "bus=pci.0,addr=0x9" in device for device in devices)
    assert not any("pcie-root-port" in device for device in devices)


@pytest.mark.parametrize(
    ("machine", "why"),
    [
        (a_machine(id="web"), "not a UUID"),
        (a_machine(vcpus=0), "needs a processor"),
        (a_machine(memory_mb=0), "needs a processor and memory"),
        (a_machine(ramdisk="/r"), "without a kernel"),
        (a_machine(command_line="quiet"), "without a kernel"),
        (a_machine(firmware="uefi"), "no UEFI firmware"),
        (a_machine(disks=[Disk(id=str(n), path="/x", bus="ide") for n in range(7)]), "6 IDE ports"),
        (a_machine(disks=[Disk(id="a", path="/x"), Disk(id="a", path="/y")]), "too much alike"),
        (a_machine(disks=[Disk(id=str(n), path="/x") for n in range(97)]), "no more than 96"),
        (a_machine(hardware=Hardware(sockets=3)), "are not 2 processors"),
        (a_machine(hardware=Hardware(cells=[Cell(cpus=[0, 1], memory_mb=1)])), "does not add up"),
        (a_machine(hardware=Hardware(machine_type="virt")), "cannot be run here"),
    ],
)
def test_what_cannot_be_built_is_said(machine: Machine, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        line(machine)


def test_options_cannot_be_smuggled_in_by_a_name() -> None:
    argv = line(a_machine(name="x,process=evil", disks=[Disk(id="a", path="/x", serial="s,bootindex=0")]))
    assert values(argv, "-name") == ["guest=x,,process=evil,debug-threads=on"]
    assert any(device.endswith("serial=s,,bootindex=0,bus=port1") for device in values(argv, "-device"))


def test_node_names_are_short_and_begin_with_a_letter() -> None:
    assert node_name("disk.config") == "d-disk.config"
    assert len(node_name(ID)) <= 31
    assert node_name("a b/c:d") == "d-abcd"
    assert FREE_PORTS == 8
