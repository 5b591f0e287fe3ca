"""The built image in real QEMU: every way to boot, every source of metadata, and a clean end."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from minicloud.base import tools
from minicloud.guest import GuestImage
from tests.guest.machines import Metadata, disk_arguments, free_port, machine, overlay, ssh

pytestmark = pytest.mark.qemu

OVMF = Path("/usr/share/OVMF")


def test_a_server_gets_its_name_key_and_user_data_once(
    image: GuestImage, metadata: Metadata, key: Path, tmp_path: Path
) -> None:
    port = free_port()
    disk = overlay(image.disk, tmp_path / "disk", "1G")
    public = key.with_suffix(".pub").read_text()
    script = "#!/bin/bash\necho hello from $(hostname)\necho ran >>/root/runs\nsleep 1000 &\nexit 3\n"
    metadata.tell(script, uuid="one", hostname="web-1.novalocal", public_keys={"my.key": public})
    arguments = ["-machine", "q35", *disk_arguments(disk), *metadata.network(ssh_port=port)]

    with machine(tmp_path / "first", *arguments) as guest:
        guest.wait_for("minilinux: ready in")
        facts = guest.facts()
        assert re.fullmatch(r"root 9\d\dM on /dev/vda2", facts[0])
        assert facts[1:5] == [
            "address eth0 169.254.2.15/16",
            "metadata from http",
            "hostname web-1",
            "key installed my.key",
        ]
        assert "user-data ran (exit 3)" in facts
        assert "hello from web-1" in guest.console
        assert 'Log in as root with the password "minicloud"' in guest.console
        host_key = next(fact for fact in facts if fact.startswith("host key SHA256:"))

        answer = ssh(port, key, "hostname; cat /root/runs; df -m / | tail -n 1")
        assert answer.stdout.split()[:2] == [b"web-1", b"ran"], answer.stderr
        assert b"/dev/vda2" in answer.stdout
        copied = subprocess.run(
            [*_sftp(port, key), "-b", "-", "root@127.0.0.1"],
            input=b"get /root/runs " + str(tmp_path / "runs").encode(),
            capture_output=True,
            timeout=120,
        )
        assert (tmp_path / "runs").read_bytes() == b"ran\n", copied.stderr
        refused = ssh(port, tmp_path / "no-key", "true")
        assert refused.returncode == 255
        assert b"(publickey)" in refused.stderr

        began = time.monotonic()
        guest.ask("system_powerdown")
        assert guest.end() == 0
        print(f"system_powerdown to exit: {time.monotonic() - began:.2f} s")
        assert "going down for poweroff" in guest.facts()

    with machine(tmp_path / "second", *arguments) as guest:
        guest.wait_for("minilinux: ready in")
        assert "instance one has been here before: user-data not run again" in guest.facts()
        assert not [fact for fact in guest.facts() if fact.startswith("user-data ran")]
        assert host_key in guest.facts()
        assert ssh(port, key, "cat /root/runs").stdout == b"ran\n"

    # A disk that becomes another instance (a snapshot) runs the user data again, and has its own host key.
    metadata.tell(script, uuid="two", hostname="web-2", public_keys={"my.key": public})
    with machine(tmp_path / "third", *arguments) as guest:
        guest.wait_for("minilinux: ready in")
        assert "hostname web-2" in guest.facts()
        assert "user-data ran (exit 3)" in guest.facts()
        assert host_key not in guest.facts()
        assert ssh(port, key, "cat /root/runs").stdout == b"ran\nran\n"


def _sftp(port: int, key: Path) -> list[str]:
    return [
        *(tools.need("ssh").removesuffix("ssh") + "sftp", "-q", "-F", "/dev/null", "-P", str(port), "-i", str(key)),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    ]


def test_a_guest_in_memory_follows_its_config_drive(
    image: GuestImage, metadata: Metadata, outside_tools: Path, tmp_path: Path
) -> None:
    network = {
        "links": [{"id": "tap1", "type": "ovs", "ethernet_mac_address": "52:54:00:00:00:01", "mtu": 1450}],
        "networks": [
            {
                "id": "network0",
                "type": "ipv4",
                "link": "tap1",
                "ip_address": "10.9.0.5",
                "netmask": "255.255.255.0",
                "routes": [
                    {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.9.0.1"},
                    {"network": "192.168.7.0", "netmask": "255.255.255.128", "gateway": "10.9.0.9"},
                ],
            },
        ],
        "services": [{"type": "dns", "address": "10.9.0.2"}],
    }
    meta = {
        "uuid": "three",
        "hostname": "drive",
        "admin_pass": 'Straße "7\\n"',
        "files": [{"path": "/etc/motd.d/x", "content_path": "/content/0000"}],
    }
    drive = _config_drive(
        tmp_path,
        outside_tools,
        {
            "latest/meta_data.json": json.dumps(meta).encode(),
            "latest/network_data.json": json.dumps(network).encode(),
            "latest/user_data": b"#cloud-config\nruncmd: [reboot]\n",
            "content/0000": b"a personality",
        },
    )
    metadata.tell("#!/bin/sh\necho wrong\n", uuid="wrong", hostname="wrong")
    arguments = [
        *("-machine", "q35", "-kernel", str(image.kernel), "-initrd", str(image.ramdisk), "-append", "console=ttyS0"),
        *disk_arguments(drive, format="raw", name="config", readonly=True),
        *metadata.network(ssh_port=free_port()),
    ]
    with machine(tmp_path / "run", *arguments) as guest:
        guest.wait_for("minilinux: ready in")
        facts = guest.facts()
        assert facts[0].endswith("M in memory")
        assert facts[1:4] == ["address eth0 10.9.0.5/24", "metadata from configdrive", "hostname drive"]
        assert any("#cloud-config, which this small image does not interpret" in fact for fact in facts)
        assert metadata.asked == []

        guest.log_in('Straße "7\\n"')
        guest.wait_for_prompt("# ")
        guest.type("ip route; cat /etc/motd.d/x /etc/resolv.conf; cat /sys/class/net/eth0/mtu; echo over")
        guest.wait_for("\nover")
        assert "default via 10.9.0.1 dev eth0" in guest.console
        assert "192.168.7.0/25 via 10.9.0.9" in guest.console
        assert "a personality" in guest.console
        assert "nameserver 10.9.0.2" in guest.console
        assert "\n1450\n" in guest.console

        # What udhcpc says first: there is no lease, and what others gave the card stays.
        guest.type("interface=eth0 /lib/minilinux/dhcp deconfig; ip -o address show dev eth0; echo over now")
        guest.wait_for("\nover now")
        addresses = guest.console.rpartition("deconfig")[2]
        assert "inet 10.9.0.5/24" in addresses
        assert "inet6 fe80::5054:ff:fe00:1/64" in addresses

        guest.type("poweroff")
        assert guest.end() == 0


def _config_drive(tmp_path: Path, outside: Path, files: dict[str, bytes]) -> Path:
    drive = tmp_path / "config-drive"
    subprocess.run(
        [str(outside / "sbin/mkfs.vfat"), "-C", "-n", "config-2", str(drive), "2048"], check=True, capture_output=True
    )
    for name, data in files.items():
        (tmp_path / "openstack" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "openstack" / name).write_bytes(data)
    mcopy = [str(outside / "usr/bin/mcopy"), "-s", "-i", str(drive), str(tmp_path / "openstack"), "::/"]
    subprocess.run(mcopy, check=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})
    return drive


def test_kernel_and_root_disk_grow_and_take_what_is_plugged_in(image: GuestImage, tmp_path: Path) -> None:
    disk = overlay(image.root, tmp_path / "disk", "3G", format="raw")
    extra = tmp_path / "extra"
    extra.write_bytes(b"\0" * (1 << 20))
    arguments = [
        *("-machine", "q35", "-kernel", str(image.kernel), "-initrd", str(image.boot_ramdisk)),
        *("-append", "console=ttyS0 root=/dev/vda", *disk_arguments(disk, serial="rootdisk")),
        *("-device", "pcie-root-port,id=rp0,chassis=1,slot=1", "-device", "pcie-root-port,id=rp1,chassis=2,slot=2"),
    ]
    with machine(tmp_path / "run", *arguments) as guest:
        guest.wait_for("minilinux: ready in")
        assert re.fullmatch(r"root (29|30)\d\dM on /dev/vda", guest.facts()[0])
        assert "metadata from none" in guest.facts()

        guest.log_in("minicloud")
        guest.wait_for_prompt("# ")
        guest.ask("netdev_add", type="user", id="late")
        guest.ask("device_add", driver="virtio-net-pci", netdev="late", id="nic1", bus="rp0")
        guest.ask(
            "blockdev-add", driver="raw", **{"node-name": "extra"}, file={"driver": "file", "filename": str(extra)}
        )
        guest.ask(
            "device_add", driver="virtio-blk-pci", drive="extra", id="disk1", bus="rp1", serial="0123456789abcdefghij"
        )
        guest.wait_for("minilinux: address eth0 10.0.2.15/24")
        # A lease that was given back takes its address along and nothing else, and may be had again.
        since = len(guest.console)
        signal = "kill -{} $(cat /run/minilinux/dhcp.eth0)"
        own = "until ip -6 address show eth0 | grep -q fe80; do usleep 50000; done"
        gone = f"while ip -4 address show eth0 | grep -q inet; do {signal.format('USR2')}; usleep 200000; done"
        guest.type(f"{own}; {gone}; ip -6 -o address show eth0; echo all that is left; {signal.format('USR1')}")
        guest.wait_for("\nall that is left", since=since)
        assert "inet6 fe80::" in guest.console[since:]
        guest.wait_for("minilinux: address eth0 10.0.2.15/24", since=since)
        link = "/dev/disk/by-id/virtio-0123456789abcdefghij"
        guest.type(f"until [ -e {link} ]; do usleep 50000; done; readlink -f {link}; ls /dev/disk/by-id; echo over")
        guest.wait_for("\nover")
        assert "\n/dev/vdb\n" in guest.console
        assert "\nvirtio-0123456789abcdefghij  virtio-rootdisk\n" in guest.console

        since = len(guest.console)
        guest.type("reboot")
        guest.wait_for("minilinux: ready in", since=since)
        assert "going down for reboot" in guest.facts(since)


@pytest.mark.skipif(not (OVMF / "OVMF_CODE_4M.fd").exists(), reason="UEFI firmware is not installed (apt install ovmf)")
def test_the_disk_boots_from_uefi(image: GuestImage, tmp_path: Path) -> None:
    disk = overlay(image.disk, tmp_path / "disk", "1G")
    variables = tmp_path / "variables"
    variables.write_bytes((OVMF / "OVMF_VARS_4M.fd").read_bytes())
    arguments = [
        *("-machine", "q35", *disk_arguments(disk)),
        *("-drive", f"if=pflash,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.fd'}"),
        *("-drive", f"if=pflash,format=raw,file={variables}"),
    ]
    with machine(tmp_path / "run", *arguments) as guest:
        guest.wait_for("minilinux: ready in")
        assert guest.facts()[0].endswith("M on /dev/vda2")
