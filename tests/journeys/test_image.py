"""Images through the openstack command and openstacksdk, and what a killed cloud keeps of them."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack
import pytest
from openstack.exceptions import ConflictException, ForbiddenException, HttpException, NotFoundException

from tests.support.warm_openstack import openstack as openstack_command

pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore::ResourceWarning")]

PASSWORD = "secret"


class Process:
    """A cloud of simulated hosts in a process of its own, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.pid = 0

    def up(self) -> None:
        """Start it and wait for its answer."""
        words = ["up", "--driver", "fake", "--port", "0", "--data", str(self.folder), "--admin-password", PASSWORD]
        done = subprocess.run(
            [sys.executable, "-m", "minicloud", *words, "--detach"], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = next(line for line in done.stdout.splitlines() if "minicloud is up at" in line).split()
        self.url, self.pid = told[told.index("at") + 1], int(told[told.index("(process") + 1].rstrip(")"))

    def down(self) -> None:
        """End it kindly."""
        subprocess.run(
            [sys.executable, "-m", "minicloud", "down", "--data", str(self.folder)], capture_output=True, timeout=120
        )

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{self.pid}/cmdline").exists() and Path(f"/proc/{self.pid}/cmdline").read_bytes():
            assert time.monotonic() < deadline, "the process outlived SIGKILL"
            time.sleep(0.05)

    def connect(self, user: str = "demo") -> Any:
        """openstacksdk as this user, in the project of the same name."""
        return openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth_url=f"{self.url}/identity",
            username=user,
            password=PASSWORD,
            project_name=user,
            user_domain_id="default",
            project_domain_id="default",
            region_name="RegionOne",
        )

    def shell(self, *words: str, user: str = "admin") -> str:
        """What the openstack command prints."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "OS_AUTH_URL": f"{self.url}/identity",
            "OS_USERNAME": user,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": user,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
        }
        done = openstack_command(*words, environment=environment, cwd=self.folder, timeout_s=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Process]:
    found = Process(tmp_path / "cloud")
    found.up()
    try:
        yield found
    finally:
        found.down()


def test_the_openstack_command_carries_an_image_through_its_life(cloud: Process, tmp_path: Path) -> None:
    source, copy = tmp_path / "disk.raw", tmp_path / "copy.raw"
    source.write_bytes(os.urandom(3 << 20))
    words = ["--disk-format", "raw", "--property", "os_distro=small", "--tag", "mine", "--public"]
    made = json.loads(cloud.shell("image", "create", "--file", str(source), *words, "web", "-f", "json"))
    assert (made["status"], made["size"], made["visibility"]) == ("active", 3 << 20, "public")
    assert made["properties"]["os_hash_value"] == hashlib.sha512(source.read_bytes()).hexdigest()
    names = [row["Name"] for row in json.loads(cloud.shell("image", "list", "-f", "json", user="demo"))]
    assert "web" in names
    cloud.shell("image", "set", "--name", "web2", "--min-disk", "3", "--property", "a=b", "web")
    cloud.shell("image", "unset", "--property", "os_distro", "--tag", "mine", "web2")
    shown = json.loads(cloud.shell("image", "show", "web2", "-f", "json"))
    assert (shown["min_disk"], shown["tags"], shown["properties"]["a"]) == (3, [], "b")
    assert "os_distro" not in shown["properties"]
    cloud.shell("image", "save", "--file", str(copy), "web2", user="demo")
    assert copy.read_bytes() == source.read_bytes()
    cloud.shell("image", "delete", "web2")
    assert "web2" not in cloud.shell("image", "list")


def test_openstacksdk_uploads_shares_and_is_refused(cloud: Process) -> None:
    demo, admin = cloud.connect(), cloud.connect("admin")
    content = os.urandom(1 << 20)
    image = demo.image.create_image("sdk", data=content, disk_format="raw", container_format="bare", wait=True)
    assert demo.image.get_image(image.id).status == "active"
    assert demo.image.download_image(image.id).content == content
    demo.image.update_image(image.id, name="renamed", colour="red")
    assert demo.image.find_image("renamed").properties["colour"] == "red"
    demo.image.add_tag(image.id, "mine")
    assert [found.id for found in demo.image.images(tag="mine")] == [image.id]
    member = demo.image.add_member(image.id, member_id=admin.current_project_id)
    assert member.status == "pending"
    assert [found.member_id for found in demo.image.members(image.id)] == [admin.current_project_id]
    with pytest.raises(ForbiddenException):
        demo.image.update_image(image.id, visibility="public")
    demo.image.deactivate_image(image.id)
    # download_image takes the words of the refusal for the image, so the status is asked for by itself.
    assert demo.image.get(f"/images/{image.id}/file").status_code == 403
    demo.image.reactivate_image(image.id)
    with pytest.raises(HttpException, match="declared as qcow2"):
        demo.image.create_image("lie", data=content, disk_format="qcow2", container_format="bare", wait=True)
    with pytest.raises(ConflictException):
        demo.image.create_image("twice", id=image.id, disk_format="raw", container_format="bare")
    demo.image.delete_image(image.id)
    with pytest.raises(NotFoundException):
        demo.image.get_image(image.id)


@pytest.mark.crash
def test_a_killed_cloud_keeps_whole_images_and_nothing_of_broken_ones(cloud: Process) -> None:
    demo = cloud.connect()
    content = os.urandom(1 << 20)
    whole = demo.image.create_image("whole", data=content, disk_format="raw", container_format="bare", wait=True)
    broken = demo.image.create_image("broken", disk_format="raw", container_format="bare")
    with _half_an_upload(cloud, broken.id, demo.auth_token, content):
        deadline = time.monotonic() + 30
        while demo.image.get_image(broken.id).status != "saving":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        cloud.kill()
    cloud.up()
    again = cloud.connect()
    assert again.image.get_image(broken.id).status == "queued"
    assert again.image.download_image(whole.id).content == content
    blobs = [path.name for path in (cloud.folder / "blobs").rglob("*") if path.is_file()]
    assert whole.id in blobs
    assert broken.id not in blobs
    assert not list((cloud.folder / "blobs" / "incoming").iterdir())
    found = again.image.get_image(broken.id)
    found.data = content
    found.upload(again.image)
    assert again.image.download_image(broken.id).content == content


def _half_an_upload(cloud: Process, image_id: str, token: str, content: bytes) -> socket.socket:
    """An upload that announces twice as much as it sends, and waits."""
    where = urlsplit(cloud.url)
    assert where.hostname is not None
    assert where.port is not None
    made = socket.create_connection((where.hostname, where.port))
    lines = [
        f"PUT /image/v2/images/{image_id}/file HTTP/1.1",
        f"Host: {where.netloc}",
        f"X-Auth-Token: {token}",
        "Content-Type: application/octet-stream",
        f"Content-Length: {2 * len(content)}",
    ]
    made.sendall("\r\n".join([*lines, "", ""]).encode() + content)
    return made
