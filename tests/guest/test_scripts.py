"""The guest's own parsers, run by the guest's own busybox."""

import json
import subprocess
from pathlib import Path

import pytest

from minicloud.guest.rootfs import INIT

pytestmark = pytest.mark.qemu

SCRIPTS = INIT / "root" / "lib" / "minilinux"


def _awk(outside: Path, script: str, text: str) -> list[str]:
    done = subprocess.run(
        [str(outside / "bin/busybox"), "awk", "-f", str(SCRIPTS / script)],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().splitlines()


def test_json_becomes_one_line_per_leaf(outside_tools: Path) -> None:
    document = {
        "uuid": "u",
        "public_keys": {"my.key": "ssh-rsa AAA me\n"},
        "list": [1, [2, {"deep": True}], {}, [], None],
        "empty": {},
        "after": -1.5,
        "odd": 'quote " slash / back \\ tab \t brace {}[],:',
        "letters": "Straße 東京 😀",
    }
    expected = [
        "uuid\tu",
        "public_keys.my.key\tssh-rsa AAA me\\n",
        "list.0\t1",
        "list.1.0\t2",
        "list.1.1.deep\ttrue",
        "list.4\tnull",
        "after\t-1.5",
        'odd\tquote " slash / back \\\\ tab \\t brace {}[],:',
        "letters\tStraße 東京 😀",
    ]
    # Both ways of writing letters, both ways of setting it out.
    assert _awk(outside_tools, "json.awk", json.dumps(document)) == expected
    assert _awk(outside_tools, "json.awk", json.dumps(document, ensure_ascii=False, indent=2)) == expected


def test_network_data_becomes_things_to_do(outside_tools: Path) -> None:
    network = {
        "links": [
            {"id": "a", "type": "ovs", "ethernet_mac_address": "FA:16:3E:00:00:01", "mtu": 1442},
            {"id": "b", "type": "ovs", "ethernet_mac_address": "fa:16:3e:00:00:02", "mtu": None},
        ],
        "networks": [
            {
                "id": "n0",
                "type": "ipv4",
                "link": "a",
                "ip_address": "10.0.0.5",
                "netmask": "255.255.240.0",
                "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.0.1"}],
                "services": [{"type": "dns", "address": "10.0.0.2"}],
            },
            {
                "id": "n1",
                "type": "ipv6",
                "link": "a",
                "ip_address": "fd00::5",
                "netmask": "ffff:ffff:ffff:ff00::",
                "routes": [{"network": "::", "netmask": "::", "gateway": "fd00::1"}],
            },
            {"id": "n2", "type": "ipv4_dhcp", "link": "b"},
            {"id": "n3", "type": "ipv6_slaac", "link": "b"},
            {"id": "n4", "type": "ipv9", "link": "b"},
        ],
        "services": [{"type": "dns", "address": "9.9.9.9"}, {"type": "ntp", "address": "1.1.1.1"}],
    }
    flat = "\n".join(_awk(outside_tools, "json.awk", json.dumps(network))) + "\n"
    todo = _awk(outside_tools, "network.awk", flat)
    assert todo[:8] == [
        "fa:16:3e:00:00:01 mtu 1442",
        "fa:16:3e:00:00:01 address 10.0.0.5/20",
        "fa:16:3e:00:00:01 route 0.0.0.0/0 10.0.0.1",
        "fa:16:3e:00:00:01 address fd00::5/56",
        "fa:16:3e:00:00:01 route ::/0 fd00::1",
        "fa:16:3e:00:00:02 dhcp",
        "fa:16:3e:00:00:02 slaac",
        "fa:16:3e:00:00:02 unknown network type ipv9",
    ]
    assert todo[8:] == ["- dns 10.0.0.2", "- dns 9.9.9.9"]


@pytest.mark.parametrize(
    ("path", "slots"),
    [
        ("pci0000:00/0000:00:10.1/0000:0a:00.0/virtio2/block/vda/vda2", " 10,1 0"),
        ("pci0000:00/0000:00:0a.0/virtio2/block/vda", " a"),
        ("pci0000:00/0000:00:02.0/virtio3/host2/target2:0:0/2:0:0:1/block/sda", " 2 0 0,1"),
        ("pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda", " 1f,2"),
        ("virtual/block/loop0", ""),
    ],
)
def test_a_disk_is_known_by_the_slots_that_the_firmware_names(outside_tools: Path, path: str, slots: str) -> None:
    script = f". {SCRIPTS / 'disks'}; disk_slots /sys/devices/{path}"
    done = subprocess.run([str(outside_tools / "bin/busybox"), "sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == slots
