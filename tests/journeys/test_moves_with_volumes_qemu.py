"""A real guest with volumes that moves: while it runs, without another boot, and while it is off; what it wrote is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from minicloud.guest import GuestImage
from tests.journeys.test_first_server_qemu import READY, ssh, wait_for
from tests.support.journeys import PATIENCE_S, Journey, a_journey, a_key, until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("moves"), cache=cache, driver="qemu") as journey:
        journey.up("--hosts", "2")
        if journey.facts()["hosts"][0]["fabric"] == "user":
            pytest.skip("guests that move keep their addresses only on networks of the kernel (minicloud doctor)")
        yield journey


def boot(cloud: Journey, admin: Connection, name: str, **wanted: Any) -> Any:
    """A server that is ready for commands."""
    flavor, network = admin.compute.find_flavor("m1.nano"), admin.network.find_network("private")
    made = admin.compute.create_server(
        name=name, flavor_id=flavor.id, networks=[{"uuid": network.id}], key_name="k", **wanted
    )
    made = admin.compute.wait_for_server(made, interval=0.1, wait=int(PATIENCE_S))
    cloud.wait_for_console(name, READY)
    return made


def host_of(admin: Connection, server: Any) -> str:
    return str(admin.compute.get_server(server.id).compute_host)


def moved_alive(admin: Connection, server: Any) -> None:
    """The server is on the other host, and its volumes know."""
    before = host_of(admin, server)
    admin.compute.live_migrate_server(server, host=None, block_migration="auto")
    wait_for(admin, server.id, "ACTIVE", power=1)
    assert host_of(admin, server) != before, [m.status for m in admin.compute.migrations()]
    known_where_it_is(admin, server)


def known_where_it_is(admin: Connection, server: Any) -> None:
    here = host_of(admin, server)
    for volume in admin.compute.get_server(server.id).attached_volumes:
        found = admin.block_storage.get_volume(volume.id)
        assert (found.status, [one["host_name"] for one in found.attachments]) == ("in-use", [here])


def test_volumes_go_along_with_a_guest_that_runs(cloud: Journey) -> None:
    key = a_key(cloud.home)
    with cloud.connect() as admin:
        admin.compute.create_keypair(name="k", public_key=key.with_suffix(".pub").read_text())
        image = admin.image.find_image("minilinux")
        data = admin.block_storage.create_volume(size=1, name="data")
        admin.block_storage.wait_for_status(data, "available", interval=0.1, wait=60)
        second = admin.network.create_network(name="second")
        admin.network.create_subnet(network_id=second.id, ip_version=4, cidr="10.60.0.0/24")

        # On a disk of its own, and with a card and a volume that came while it ran.
        web = boot(cloud, admin, "web", image_id=image.id)
        admin.compute.create_server_interface(web, net_id=second.id)
        admin.compute.create_volume_attachment(web, volume_id=data.id)
        admin.block_storage.wait_for_status(data, "in-use", interval=0.1, wait=60)
        until(lambda: "vdb" in ssh(cloud, key, "ls /sys/block"), "the volume")
        ssh(
            cloud,
            key,
            "echo written there | dd of=/dev/vdb conv=fsync; echo this boot >/run/mark; echo own >/root/mark",
        )
        moved_alive(admin, web)
        assert ssh(cloud, key, "cat /run/mark /root/mark; head -n 1 /dev/vdb").splitlines() == [
            "this boot",
            "own",
            "written there",
        ]
        ssh(cloud, key, "echo written here | dd of=/dev/vdb conv=fsync")
        moved_alive(admin, web)
        assert ssh(cloud, key, "cat /run/mark; head -n 1 /dev/vdb").splitlines() == ["this boot", "written here"]
        admin.compute.delete_volume_attachment(web, data)
        admin.block_storage.wait_for_status(data, "available", interval=0.1, wait=60)
        assert "vdb" not in ssh(cloud, key, "ls /sys/block")
        admin.compute.delete_server(web)
        admin.compute.wait_for_delete(web, interval=0.1, wait=60)

        # Booted from a volume, with the other one beside it: nothing has to be copied.
        root = {"uuid": image.id, "source_type": "image", "destination_type": "volume", "volume_size": 1}
        beside = {"uuid": data.id, "source_type": "volume", "destination_type": "volume", "boot_index": -1}
        disks = [{**root, "boot_index": 0, "delete_on_termination": True}, beside]
        vol = boot(cloud, admin, "vol", block_device_mapping=disks)
        ssh(cloud, key, "echo this boot >/run/mark; echo on a volume >/root/mark", server="vol")
        moved_alive(admin, vol)
        said = ssh(cloud, key, "cat /run/mark /root/mark; head -n 1 /dev/vdb", server="vol")
        assert said.splitlines() == ["this boot", "on a volume", "written here"]

        # While it is off, and off any host.
        before = host_of(admin, vol)
        ssh(cloud, key, "sync", server="vol")
        admin.compute.migrate_server(vol)
        wait_for(admin, vol.id, "VERIFY_RESIZE", power=1)
        assert host_of(admin, vol) != before
        known_where_it_is(admin, vol)
        admin.compute.confirm_server_resize(vol)
        wait_for(admin, vol.id, "ACTIVE", power=1)
        # A guest that still boots does not hear its power button, and would be given a minute.
        cloud.wait_for_console("vol", READY)
        admin.compute.shelve_server(vol)
        wait_for(admin, vol.id, "SHELVED_OFFLOADED", power=4)
        admin.compute.unshelve_server(vol)
        wait_for(admin, vol.id, "ACTIVE", power=1)
        known_where_it_is(admin, vol)
        cloud.wait_for_console("vol", READY)
        said = ssh(cloud, key, "cat /root/mark; head -n 1 /dev/vdb", server="vol")
        assert said.splitlines() == ["on a volume", "written here"]
        admin.compute.delete_server(vol)
        admin.compute.wait_for_delete(vol, interval=0.1, wait=60)
    assert cloud.guests() == {}
