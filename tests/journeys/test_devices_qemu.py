"""A real guest is given a card while it runs, and loses it; its agent sets a password and freezes it for a snapshot, which boots; special hardware is seen from inside."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from minicloud.guest import GuestImage
from tests.journeys.test_first_server_qemu import READY, create, delete, ssh, wait_for
from tests.support.guestshells import Shell
from tests.support.journeys import PATIENCE_S, Journey, a_journey, a_key, until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SEVERAL_CPUS = os.sched_getaffinity(0) >= {0, 1}
"""Whether one of them can be a server's own."""

DOCUMENTS = """
mount -o ro -t iso9660 $(findfs LABEL=config-2) /mnt && cat /mnt/openstack/latest/meta_data.json && umount /mnt && echo
wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"""
"""What the config drive tells, and what the metadata service does, on a line each."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("devices"), cache=cache, driver="qemu") as journey:
        if SEVERAL_CPUS:
            journey.environment["MINICLOUD_CPU_DEDICATED_SET"] = "1"
        journey.up()
        [host] = journey.facts()["hosts"]
        if host["fabric"] == "user":
            pytest.skip("cards that come later need networks of the kernel (minicloud doctor)")
        yield journey


def test_a_card_comes_and_goes_and_a_snapshot_boots(cloud: Journey) -> None:
    key = a_key(cloud.home)
    with cloud.connect() as admin, ExitStack() as stack:
        admin.compute.create_keypair(name="k", public_key=key.with_suffix(".pub").read_text())
        flavor = admin.compute.create_flavor(name="special", ram=128, vcpus=2, disk=1, ephemeral=2, swap=64)
        specs = {"hw:cpu_max_sockets": "1", "hw_rng:rate_bytes": "65536", "quota:disk_total_iops_sec": "5000"}
        specs["hw:vif_multiqueue_enabled"] = "true"
        if SEVERAL_CPUS:
            specs |= {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0", "hw:mem_page_size": "small"}
        admin.compute.create_flavor_extra_specs(flavor, specs)
        second = admin.network.create_network(name="second")
        admin.network.create_subnet(network_id=second.id, ip_version=4, cidr="10.60.0.0/24")
        private = admin.network.find_network("private")
        minilinux = admin.image.find_image("minilinux", ignore_missing=False)
        # Whoever knows that an agent listens in an image says so, and may ask for no copy without it.
        agent = {"hw_qemu_guest_agent": "yes", "os_require_quiesce": "yes"}
        admin.image.update_image(minilinux, **agent)
        blank = {"source_type": "blank", "destination_type": "local"}
        root = {
            "source_type": "image",
            "destination_type": "local",
            "boot_index": 0,
            "uuid": minilinux.id,
            "tag": "root",
        }
        disks = [
            root,
            {**blank, "volume_size": 1, "guest_format": "ext3", "tag": "files"},
            {**blank, "volume_size": 32, "guest_format": "swap"},
        ]
        server = create(
            admin, "web", private.id, key_name="k", flavor="special", block_device_mapping=disks, config_drive=True
        )
        admin.compute.wait_for_server(server, interval=0.1, wait=int(PATIENCE_S))
        cloud.wait_for_console("web", READY)

        shell = stack.enter_context(Shell(cloud, "web", key))

        # What its flavor says: one socket of two cores; and what was asked of its disks: an empty file system, a swap area.
        assert shell.does("cat /sys/devices/system/cpu/cpu1/topology/physical_package_id") == "0"
        assert shell.does("cat /sys/class/block/vdb/size /sys/class/block/vdc/size").split() == [
            str(2 << 20),
            str(32 << 11),
        ]
        assert "SWAPSPACE2" in shell.does("dd if=/dev/vdc bs=1 skip=4086 count=10 2>/dev/null")
        assert shell.does("mount -t ext3 /dev/vdb /mnt && ls /mnt && umount /mnt") == "lost+found"

        if SEVERAL_CPUS:
            # One processor that it shares, one of its own.
            [node] = admin.compute.get(f"/servers/{server.id}/topology", microversion="2.78").json()["nodes"]
            assert node["cpu_pinning"] == {"1": 1}
            assert node["vcpu_set"] == [0, 1]
            assert where_processors_run(cloud.guests()[server.id]) == {0: {0}, 1: {1}}

        # What has a tag stands where its config drive and its metadata say.
        drive, service = (json.loads(line)["devices"] for line in shell.does(DOCUMENTS).splitlines())
        assert drive == service
        found = {device["tags"][0]: device["address"] for device in drive}
        names = f"{found['root']}/virtio*/block/vda {found['files']}/virtio*/block/vdb"
        shell.does(f"cd /sys/bus/pci/devices && ls -d {names}")

        # The generator of its host, where it reads numbers that nobody knows.
        assert shell.does("cat /sys/class/misc/hw_random/rng_current").startswith("virtio_rng")
        numbers = {
            shell.does("dd if=/dev/hwrng bs=16 count=1 2>/dev/null | hexdump -v -e '1/1 \"%02x\"'") for _ in "12"
        }
        assert sorted(map(len, numbers)) == [32, 32]

        # A queue for each processor, in the card that it has and in one
        # that comes while it runs, is numbered, and goes again.
        assert shell.does("ls /sys/class/net/eth0/queues").split() == ["rx-0", "rx-1", "tx-0", "tx-1"]
        card = admin.compute.create_server_interface(server, net_id=second.id)
        [address] = [fixed["ip_address"] for fixed in card.fixed_ips]
        until(lambda: card.mac_addr in shell.does("ip link"), "the card")
        until(lambda: f"{address}/24" in shell.does("ip address show eth1"), "its address, by DHCP")
        assert shell.does("ls /sys/class/net/eth1/queues").split() == ["rx-0", "rx-1", "tx-0", "tx-1"]
        used = admin.compute.get_server_diagnostics(server)
        assert [nic["mac_address"] for nic in used.nic_details][1] == card.mac_addr
        assert used.nic_details[0]["rx_octets"] > 1000
        assert used.cpu_details[0]["time"] > 0
        admin.compute.delete_server_interface(card.port_id, server=server)
        until(lambda: card.mac_addr not in shell.does("ip link"), "that the card is gone")
        until(lambda: len(list(admin.compute.server_interfaces(server))) == 1, "that Nova knows")

        # Its agent sets a password, with which it lets people in at its console.
        cloud.does("openstack", "server", "set", "--password", "fresh: Wörter", "web")
        assert "uid=0(root)" in at_the_console(cloud, server.id, "root", "fresh: Wörter", "id")

        # A snapshot of the running guest boots, and holds what nobody has written out but its agent, which froze it for that.
        shell.does("echo kept >/root/kept")
        image = admin.compute.create_server_image(server, "copy", wait=True, timeout=int(PATIENCE_S))
        assert image.status == "active"
        wait_for(admin, server.id, "ACTIVE", power=1)
        assert shell.does("cat /root/kept") == "kept"
        assert "guest-fsfreeze called" in shell.does("logread")
        assert "lets 1 file systems go on" in cloud.does("minicloud", "explain", "web")
        stack.close()
        delete(admin, server)
        cloud.does("openstack", "image", "unset", *(w for name in agent for w in ("--property", name)), "minilinux")
        again = create(admin, "again", private.id, key_name="k", image="copy")
        admin.compute.wait_for_server(again, interval=0.1, wait=int(PATIENCE_S))
        cloud.wait_for_console("again", READY)
        assert ssh(cloud, key, "cat /root/kept", server="again") == "kept"
        assert ssh(cloud, key, "hostname", server="again") == "again"
        delete(admin, again)
    assert cloud.guests() == {}


def where_processors_run(pid: int) -> dict[int, set[int]]:
    """The processors of this computer on which each of a guest's may run."""
    return {
        int(name.split()[1].partition("/")[0]): os.sched_getaffinity(int(thread.name))
        for thread in Path(f"/proc/{pid}/task").iterdir()
        if (name := (thread / "comm").read_text()).startswith("CPU ")
    }


def at_the_console(cloud: Journey, server_id: str, user: str, password: str, command: str) -> str:
    """What a command says to somebody who logs in at the guest's serial console."""
    [folder] = cloud.data.glob(f"hosts/*/instances/{server_id}")
    descriptor = os.open(folder, os.O_PATH)
    talk = (("", ""), ("login: ", user), ("Password: ", password), ("# ", command), ("# ", "exit"))
    said = b""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        line.connect(f"/proc/self/fd/{descriptor}/serial")
        for awaited, typed in talk:
            seen = b""
            while awaited.encode() not in seen:
                seen += line.recv(4096)
            said += seen
            line.sendall(f"{typed}\n".encode())
    os.close(descriptor)
    return said.decode(errors="replace")


def test_a_server_begins_anew_from_an_image_with_other_firmware(cloud: Journey, image: GuestImage) -> None:
    folder = cloud.home / "rebuilt"
    folder.mkdir()
    key = a_key(folder)
    words = ["--disk-format", "qcow2", "--container-format", "bare", "--file", image.disk]
    properties = ["--property", "hw_firmware_type=uefi", "--property", "hw_machine_type=q35"]
    made = cloud.tells("image", "create", *words, *properties, "--property", "hw_video_model=vga", "efi")
    with cloud.connect() as admin:
        admin.compute.create_keypair(name="rebuilt", public_key=key.with_suffix(".pub").read_text())
        private = admin.network.find_network("private")
        server = create(admin, "anew", private.id, key_name="rebuilt", flavor="m1.tiny")
        server = admin.compute.wait_for_server(server, interval=0.1, wait=int(PATIENCE_S))
        cloud.wait_for_console("anew", READY)
        ssh(cloud, key, "echo old >/root/old && sync", server="anew")
        refused = cloud.fails("openstack", "server", "set", "--password", "secret", "anew")
        assert "QEMU guest agent is not enabled" in refused
        admin.compute.rebuild_server(server, image=made["id"], name="anew", admin_password="x")
        wait_for(admin, server.id, "ACTIVE", power=1)
        cloud.wait_for_console("anew", READY)
        assert ssh(cloud, key, "ls /sys/firmware/efi && ls /root", server="anew").split().count("old") == 0
        again = admin.compute.get_server(server.id)
        assert (again.addresses, again.image["id"]) == (server.addresses, made["id"])
        delete(admin, again)
