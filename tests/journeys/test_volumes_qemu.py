"""Volumes under real guests: attached hot by their serial numbers, frozen while written to, and the five ways to deploy a server,
each of which reads what another server wrote."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from minicloud.guest import GuestImage
from tests.support.journeys import Journey, a_journey, a_key

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
READY = "minilinux: ready in"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("volumes"), cache=cache, driver="qemu") as journey:
        journey.up()
        [host] = journey.facts()["hosts"]
        if host["fabric"] == "user":
            pytest.skip("this machine allows no networks but QEMU's own: guests cannot be told what to write")
        yield journey


def in_guest(cloud: Journey, name: str, command: str) -> str:
    """What a command in the guest prints."""
    words = ["minicloud", "ssh", name, "-i", cloud.home / "key", "-o", "BatchMode=yes", "--", command]
    return cloud.does(*words, timeout_s=60).strip()


def boot(cloud: Journey, name: str, **wanted: Any) -> Any:
    """A server that is ready for commands."""
    with cloud.connect() as admin:
        flavor, network = admin.compute.find_flavor("m1.nano"), admin.network.find_network("private")
        made = admin.compute.create_server(
            name=name, flavor_id=flavor.id, networks=[{"uuid": network.id}], key_name="k", **wanted
        )
        made = admin.compute.wait_for_server(made, wait=180)
    cloud.wait_for_console(name, READY)
    return made


def gone(cloud: Journey, server: Any) -> None:
    with cloud.connect() as admin:
        admin.compute.delete_server(server)
        admin.compute.wait_for_delete(server, wait=60)


def volume_is(admin: Connection, volume: Any, status: str) -> Any:
    return admin.block_storage.wait_for_status(volume, status, interval=0.5, wait=60)


def test_five_ways_to_deploy_a_server(cloud: Journey) -> None:
    key = a_key(cloud.home)
    cloud.does("openstack", "keypair", "create", "--public-key", f"{key}.pub", "k")
    with cloud.connect() as admin:
        image = admin.image.find_image("minilinux")
        data = volume_is(admin, admin.block_storage.create_volume(size=1, name="data"), "available")

        # From an image; a volume comes to it while it runs, and is found by its serial number.
        first = boot(cloud, "first", image_id=image.id)
        admin.compute.create_volume_attachment(first, volume_id=data.id)
        volume_is(admin, data, "in-use")
        by_serial = f"/dev/$(basename $(dirname $(grep -l {data.id[:20]} /sys/block/*/serial)))"
        in_guest(cloud, "first", f"echo written by the first | dd of={by_serial} conv=fsync")
        in_guest(cloud, "first", "echo on the first disk > /root/mark; sync")

        # Frozen while the guest has it, then written to again.
        frozen = admin.block_storage.create_snapshot(volume_id=data.id, name="frozen", is_forced=True)
        admin.block_storage.wait_for_status(frozen, "available", interval=0.5, wait=120)
        in_guest(cloud, "first", f"echo written later | dd of={by_serial} conv=fsync")
        admin.compute.delete_volume_attachment(first, data)
        volume_is(admin, data, "available")
        assert in_guest(cloud, "first", "ls /sys/block | grep -c vd") == "1"

        # From a snapshot of that server.
        picture = admin.compute.create_server_image(first, "picture", wait=True, timeout=120)
        gone(cloud, first)
        second = boot(cloud, "second", image_id=picture.id)
        assert in_guest(cloud, "second", "cat /root/mark") == "on the first disk"
        thawed = admin.block_storage.create_volume(size=1, name="thawed", snapshot_id=frozen.id)
        volume_is(admin, thawed, "available")
        admin.compute.create_volume_attachment(second, volume_id=thawed.id)
        volume_is(admin, thawed, "in-use")
        assert in_guest(cloud, "second", "head -n 1 /dev/vdb") == "written by the first"
        gone(cloud, second)

        # On a new volume made of an image, with the other one beside it from the start.
        root = {
            "uuid": image.id,
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": 1,
            "boot_index": 0,
        }
        beside = {"uuid": data.id, "source_type": "volume", "destination_type": "volume", "boot_index": -1}
        third = boot(cloud, "third", block_device_mapping=[root, beside])
        assert in_guest(cloud, "third", "head -n 1 /dev/vdb") == "written later"
        in_guest(cloud, "third", "echo on a volume > /root/mark; sync")
        root_id = next(v.id for v in admin.compute.get_server(third).attached_volumes if v.id != data.id)
        gone(cloud, third)
        volume = volume_is(admin, admin.block_storage.get_volume(root_id), "available")

        # On that very volume, and on a snapshot of it.
        existing = {"uuid": volume.id, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
        fourth = boot(cloud, "fourth", block_device_mapping=[existing])
        assert in_guest(cloud, "fourth", "cat /root/mark") == "on a volume"
        gone(cloud, fourth)
        kept = admin.block_storage.create_snapshot(volume_id=volume.id, name="kept")
        admin.block_storage.wait_for_status(kept, "available", interval=0.5, wait=60)
        snapshot = {
            "uuid": kept.id,
            "source_type": "snapshot",
            "destination_type": "volume",
            "boot_index": 0,
            "delete_on_termination": True,
        }
        fifth = boot(cloud, "fifth", block_device_mapping=[snapshot])
        assert in_guest(cloud, "fifth", "cat /root/mark") == "on a volume"
        gone(cloud, fifth)

        # Nothing is left but what was kept.
        assert sorted(v.name for v in admin.block_storage.volumes()) == ["", "data", "thawed"]
        for one in (kept, frozen):
            admin.block_storage.delete_snapshot(one)
            admin.block_storage.wait_for_delete(one, interval=0.5, wait=60)
        for one in admin.block_storage.volumes():
            admin.block_storage.delete_volume(one)
            admin.block_storage.wait_for_delete(one, interval=0.5, wait=60)
    assert [path for path in (cloud.data / "storage").rglob("*") if path.is_file()] == []
    assert cloud.guests() == {}
