"""What goes wrong on a real host is told on the server, with its cause; its claim is given back and its port let go."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection
from openstack.exceptions import HttpException

from minicloud.base import tools
from minicloud.guest import GuestImage
from tests.support.journeys import PATIENCE_S, Journey, a_journey, until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

QEMU = tools.find("qemu-system-x86_64") or "/usr/bin/qemu-system-x86_64"


class Machine:
    """A mount namespace in which programs of this machine can be hidden or replaced, for those alone who run in it."""

    def __init__(self, pid: int) -> None:
        self.words = ("nsenter", f"--mount=/proc/{pid}/ns/mnt", "--")

    def put(self, what: str | Path, over: str) -> None:
        self.run("mount", "--bind", str(what), over)

    def take_away(self, over: str) -> None:
        self.run("umount", over)

    def run(self, *words: str) -> None:
        subprocess.run([*self.words, *words], check=True)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("only root can hide a program, or make a small file system")
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready && exec sleep 3600"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline().strip() != "ready":
                pytest.skip("this machine lets its root make no mount namespace")
            yield Machine(holder.pid)
        finally:
            holder.kill()


@pytest.fixture(scope="module")
def cloud(
    tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path, machine: Machine
) -> Iterator[Journey]:
    given: dict[str, Any] = {"driver": "qemu", "fabric": "user", "accelerator": "tcg", "ram_allocation_ratio": 1000}
    with a_journey(tmp_path_factory.mktemp("faults"), before=machine.words, cache=cache, **given) as journey:
        journey.up()
        yield journey


def test_qemu_is_not_there_or_broken(cloud: Journey, machine: Machine, tmp_path: Path) -> None:
    with cloud.connect() as admin:
        port = admin.network.create_port(network_id=admin.network.find_network("private").id, name="lent")
        machine.put("/dev/null", QEMU)
        try:
            assert_it_fails(cloud, admin, port, "qemu-system-x86_64 not found: apt install qemu-system-x86")
            other = str(tmp_path / "other")
            said = cloud.fails("minicloud", "up", "--detach", "--driver", "qemu", "--data", other)
            assert "apt install qemu-system-x86" in said
        finally:
            machine.take_away(QEMU)
        broken = tmp_path / "broken"
        broken.write_text("#!/bin/sh\necho 'no such machine type' >&2\nexit 3\n")
        broken.chmod(0o755)
        machine.put(broken, QEMU)
        try:
            assert_it_fails(cloud, admin, port, "no such machine type")
        finally:
            machine.take_away(QEMU)
        # What was only missing works as soon as it is there.
        server = admin.compute.wait_for_server(ask(admin, port), interval=0.1, wait=int(PATIENCE_S))
        assert server.status == "ACTIVE"
        delete(admin, server)
        admin.network.delete_port(port)


def test_images_that_are_damaged(cloud: Journey, image: GuestImage, tmp_path: Path) -> None:
    whole = image.disk.read_bytes()
    for name, content, said in (
        ("cut", whole[:150_000], "cut off"),
        ("noise", os.urandom(1 << 17), "declared as qcow2"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        words = ["--disk-format", "qcow2", "--container-format", "bare", "--file", path]
        assert said in cloud.fails("openstack", "image", "create", *words, name)

    with cloud.connect() as admin:
        assert {one.name: one.status for one in admin.image.images()} == {"minilinux": "active"}
        port = admin.network.create_port(network_id=admin.network.find_network("private").id, name="lent")
        # What a header cannot tell: the second half never came.
        admin.image.create_image(
            name="half", data=whole[: len(whole) // 2], disk_format="qcow2", container_format="bare"
        )
        assert_it_fails(cloud, admin, port, "was damaged already when it was uploaded", image="half")
        # Whole when it was uploaded, damaged on the cloud's own disk since.
        rotten = admin.image.create_image(name="rotten", data=whole, disk_format="qcow2", container_format="bare")
        [blob] = [path for path in (cloud.data / "blobs").rglob(f"*{rotten.id}*") if path.is_file()]
        with blob.open("r+b") as file:
            file.seek(len(whole) - 4096)
            file.write(b"rot")
        (cloud.data / "_base").rename(cloud.data / "_base.before")
        assert_it_fails(cloud, admin, port, "arrived with other bytes", image="rotten")
        assert_no_volume_is_made(cloud, admin, port, "was damaged already when it was uploaded", image="half")
        assert_no_volume_is_made(cloud, admin, port, "arrived with other bytes", image="rotten")
        admin.network.delete_port(port)


def test_the_storage_is_misconfigured_or_full(cloud: Journey, machine: Machine, image: GuestImage) -> None:
    storage = cloud.data / "storage"
    storage.mkdir(exist_ok=True)
    with cloud.connect() as admin:
        port = admin.network.create_port(network_id=admin.network.find_network("private").id, name="lent")
        # What lies where the volumes should may only be read: images do not mind.
        machine.put(storage, str(storage))
        machine.run("mount", "-o", "remount,bind,ro", str(storage))
        try:
            data = image.disk.read_bytes()
            admin.image.create_image(name="other", data=data, disk_format="qcow2", container_format="bare")
            assert_no_volume_is_made(cloud, admin, port, "Read-only file system", image="other", goes="error_deleting")
        finally:
            machine.take_away(str(storage))
        [volume] = admin.block_storage.volumes()
        admin.block_storage.delete_volume(volume, force=True)
        admin.block_storage.wait_for_delete(volume, interval=0.1, wait=60)
        # A disk of its own, too small for the image that a volume stands on.
        machine.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "volumes", str(storage))
        try:
            for name in ("volumes", "layers", "snapshots"):
                machine.run("mkdir", str(storage / name))
            full = "copy image to volume:Image used for creating volume exceeds available space."
            assert_no_volume_is_made(cloud, admin, port, "the disk is full", image="other", told=full)
            blank = admin.block_storage.create_volume(size=1, name="blank")
            admin.block_storage.wait_for_status(blank, "available", interval=0.1, wait=60)
            admin.block_storage.delete_volume(blank)
            admin.block_storage.wait_for_delete(blank, interval=0.1, wait=60)
        finally:
            machine.take_away(str(storage))
        # What was only misconfigured works as soon as it is not.
        volume = admin.block_storage.create_volume(size=1, image_id=admin.image.find_image("other").id)
        admin.block_storage.wait_for_status(volume, "available", interval=0.1, wait=60)
        # Now the store of images is too small for what a volume holds.
        machine.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "images", str(cloud.data / "blobs"))
        try:
            assert_no_image_is_made_of(admin, volume)
        finally:
            machine.take_away(str(cloud.data / "blobs"))
        admin.block_storage.delete_volume(volume)
        admin.block_storage.wait_for_delete(volume, interval=0.1, wait=60)
        admin.network.delete_port(port)


def test_memory_is_short(cloud: Journey) -> None:
    all_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    with cloud.connect() as admin:
        admin.compute.put(f"/os-quota-sets/{admin.current_project_id}", json={"quota_set": {"ram": -1}})
        admin.compute.create_flavor(name="greedy", ram=all_mb, vcpus=1, disk=1)
        port = admin.network.create_port(network_id=admin.network.find_network("private").id, name="lent")
        assert_it_fails(cloud, admin, port, "MiB free, the machine needs", flavor="greedy")
        admin.network.delete_port(port)


def test_the_disk_is_full(tmp_path: Path, image: GuestImage, cache: Path, machine: Machine) -> None:
    home = tmp_path / "small"
    home.mkdir()
    size_mb = 4 * (image.disk.stat().st_size >> 20)
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "small", str(home)]
    made = subprocess.run(argv, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this machine lets its root mount no tmpfs: {made.stderr.strip()}")
    try:
        given: dict[str, Any] = {"driver": "qemu", "fabric": "user", "accelerator": "tcg"}
        with a_journey(home, cache=cache, **given) as cloud:
            cloud.up()
            with cloud.connect() as admin:
                until(lambda: admin.image.find_image("minilinux").status == "active", "the guest image is in")
                # On so small a file system no disk of a whole GiB is offered.
                admin.compute.create_flavor(name="diskless", ram=128, vcpus=1, disk=0)
                network = admin.network.find_network("private")
                port = admin.network.create_port(network_id=network.id, name="lent")
                fill(home, leave=8 << 20)
                assert_it_fails(cloud, admin, port, "the disk is full", flavor="diskless")
                assert_no_image_is_kept(admin, image.disk.read_bytes())
                fill(home, leave=0)

                # Not even room for a row: what is asked is refused, what is there can still be read.
                with pytest.raises(HttpException) as refused:
                    make_projects_until_refused(admin)
                assert refused.value.status_code == 503
                assert "full" in str(refused.value)
                assert admin.network.get_port(port.id).status == "DOWN"

                (home / "filler").unlink()
                server = admin.compute.wait_for_server(
                    ask(admin, port, flavor="diskless"), interval=0.1, wait=int(PATIENCE_S)
                )
                assert server.status == "ACTIVE"
                assert cloud.facts()["stuck_sagas"] == 0
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)


def make_projects_until_refused(admin: Connection) -> None:
    """There is always a little room left in what the database has already."""
    for number in range(2000):
        admin.identity.create_project(name=f"p{number}", domain_id="default", description="x" * 250)


def fill(folder: Path, *, leave: int) -> None:
    """Leave this many bytes of a file system."""
    with (folder / "filler").open("ab", buffering=0) as file:
        while (room := os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize - leave) > 0:
            file.write(bytes(min(room, 1 << 20)))


def ask(admin: Connection, port: Any, *, flavor: str = "m1.nano", image: str = "minilinux") -> Any:
    """A server on a port that its user made; it is not waited for."""
    return admin.compute.create_server(
        name="unlucky",
        image_id=admin.image.find_image(image, ignore_missing=False).id,
        flavor_id=admin.compute.find_flavor(flavor, ignore_missing=False).id,
        networks=[{"port": port.id}],
    )


def assert_it_fails(cloud: Journey, admin: Connection, port: Any, why: str, **wanted: str) -> None:
    """A server that cannot be made says why, and leaves nothing."""
    server = ask(admin, port, **wanted)
    until(lambda: admin.compute.get_server(server.id).status != "BUILD", "the server is no longer being built")
    server = admin.compute.get_server(server.id)
    assert server.status == "ERROR"
    assert why in server.fault["message"], server.fault
    assert server.compute_host is None
    assert admin.placement.get(f"/allocations/{server.id}").json()["allocations"] == {}
    found = admin.network.get_port(port.id)
    assert (found.device_id, found.binding_host_id, found.status) == ("", "", "DOWN")
    assert not list(cloud.data.glob(f"hosts/*/instances/{server.id}*"))
    assert cloud.guests() == {}
    assert why in cloud.does("minicloud", "explain", server.id)
    [action] = admin.compute.server_actions(server)
    assert action.message
    delete(admin, server)


def assert_no_volume_is_made(
    cloud: Journey,
    admin: Connection,
    port: Any,
    why: str,
    *,
    told: str = "",
    goes: str = "",
    image: str = "minilinux",
    flavor: str = "m1.nano",
) -> None:
    """A server on a new volume cannot be made: it says so as Nova does, the volume as Cinder does, and explain says why."""
    root = {"uuid": admin.image.find_image(image, ignore_missing=False).id, "source_type": "image"}
    root |= {"destination_type": "volume", "boot_index": "0", "volume_size": "1"}
    server = admin.compute.create_server(
        name="unlucky",
        image_id="",
        flavor_id=admin.compute.find_flavor(flavor, ignore_missing=False).id,
        networks=[{"port": port.id}],
        block_device_mapping=[root],
    )
    until(lambda: admin.compute.get_server(server.id).status != "BUILD", "the server is no longer being built")
    server = admin.compute.get_server(server.id)
    assert server.status == "ERROR"
    assert server.fault["code"] == 500
    assert server.fault["message"].endswith("And its status is error."), server.fault
    assert why in server.fault["details"], server.fault
    assert why in cloud.does("minicloud", "explain", server.id)
    [volume] = [one for one in admin.block_storage.volumes() if one.name == ""]
    assert (volume.status, volume.attachments) == ("error", [])
    assert why in cloud.does("minicloud", "explain", volume.id)
    [said] = [
        row
        for row in cloud.tells("--os-volume-api-version", "3.70", "volume", "message", "list")
        if row["Resource UUID"] == volume.id
    ]
    assert said["User Message"] == (told or said["User Message"])
    assert said["User Message"].startswith("copy image to volume:")
    assert admin.placement.get(f"/allocations/{server.id}").json()["allocations"] == {}
    found = admin.network.get_port(port.id)
    assert (found.device_id, found.binding_host_id) == ("", "")
    assert not list((cloud.data / "storage").rglob(f"*{volume.id}*"))
    delete(admin, server)
    admin.block_storage.delete_volume(volume)
    if goes:
        admin.block_storage.wait_for_status(volume, goes, failures=[], interval=0.1, wait=60)
    else:
        admin.block_storage.wait_for_delete(volume, interval=0.1, wait=60)


def assert_no_image_is_kept(admin: Connection, content: bytes) -> None:
    """What is too much for the disk is refused, and the image waits for other bytes."""
    made = admin.image.create_image(name="large", disk_format="raw", container_format="bare")
    headers = {"Content-Type": "application/octet-stream"}
    answer = admin.image.put(f"/images/{made.id}/file", data=bytes(64) + content * 4, headers=headers)
    assert (answer.status_code, "Image storage media is full" in answer.text) == (413, True), answer.text
    assert admin.image.get_image(made.id).status == "queued"
    admin.image.delete_image(made.id)


def assert_no_image_is_made_of(admin: Connection, volume: Any) -> None:
    """A volume whose bytes do not fit into the store is what it was, and there is no image."""
    body = {"os-volume_upload_image": {"image_name": "picture", "disk_format": "raw", "container_format": "bare"}}
    answer = admin.block_storage.post(f"/volumes/{volume.id}/action", json=body, microversion="3.1")
    assert answer.status_code == 202, answer.text
    until(lambda: admin.block_storage.get_volume(volume.id).status == "available", "the volume is what it was")
    assert admin.image.find_image("picture") is None
    said = admin.block_storage.get("/messages", microversion="3.70").json()["messages"]
    assert "copy volume to image:Failed to upload volume to image at backend." in [one["user_message"] for one in said]


def delete(admin: Connection, server: Any) -> None:
    admin.compute.delete_server(server)
    admin.compute.wait_for_delete(server, interval=0.1, wait=int(PATIENCE_S))
