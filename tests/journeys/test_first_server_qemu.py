"""A new user's first real guests: made, reached, rebooted, stopped, lost and found again, by the commands of the README."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from minicloud.guest import GuestImage
from tests.support.journeys import PATIENCE_S, Journey, a_journey, a_key, leftovers, processes, until

pytestmark = [
    pytest.mark.journey,
    pytest.mark.qemu,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

READY = "minilinux: ready in"
USER_DATA = """#!/bin/sh
echo "here is $(hostname)"
echo once >>/root/runs
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, image: GuestImage, cache: Path) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("qemu"), cache=cache, driver="qemu") as journey:
        journey.up()
        [host] = journey.facts()["hosts"]
        if host["fabric"] == "user":
            pytest.skip(
                "this machine allows no networks but QEMU's own (minicloud doctor), which have a journey of their own"
            )
        yield journey


@pytest.fixture(autouse=True)
def nothing_left(cloud: Journey) -> Iterator[None]:
    """One story's servers must not take the next one's processor."""
    yield
    with cloud.connect() as admin:
        for server in admin.compute.servers():
            delete(admin, server)


def test_a_guest_through_its_life(cloud: Journey) -> None:
    key, script = a_key(cloud.home), cloud.home / "user-data"
    script.write_text(USER_DATA)
    cloud.does("openstack", "keypair", "create", "--public-key", f"{key}.pub", "k")
    words = ["--image", "minilinux", "--flavor", "m1.nano", "--network", "private"]
    made = cloud.tells("server", "create", *words, "--key-name", "k", "--user-data", script, "--wait", "web")
    assert made["status"] == "ACTIVE"
    server_id, [address] = made["id"], made["addresses"]["private"]

    # Born: the guest has fetched its name, its key and its script from http://169.254.169.254.
    cloud.wait_for_console("web", READY)
    console = cloud.does("openstack", "console", "log", "show", "web")
    for told in (
        "minilinux: hostname web",
        f"minilinux: address eth0 {address}/",
        "minilinux: metadata from http",
        "minilinux: key installed k",
        "here is web",
        "minilinux: user-data ran (exit 0)",
    ):
        assert told in console
    first = ssh(cloud, key, "uname", "-sn")
    assert first == "Linux web"
    assert ssh(cloud, key, "cat /root/runs") == "once"
    assert address in ssh(cloud, key, "ip address show eth0")
    stranger = cloud.home / "stranger"
    stranger.mkdir()
    refused = cloud.run("minicloud", "ssh", "web", "-i", str(a_key(stranger)), "-o", "BatchMode=yes", "--", "true")
    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr

    # Rebooted: by itself and by force, another boot of the same disk each time.
    pid = cloud.guests()[server_id]
    with cloud.connect() as admin:
        assert_ready_again(cloud, admin, server_id, 2, "reboot", "SOFT")
        assert_ready_again(cloud, admin, server_id, 3, "reboot", "HARD")
        assert cloud.guests()[server_id] != pid
        console = cloud.console("web")
        assert console.count("here is web") == 1
        assert console.count(f"instance {server_id} has been here before: user-data not run again") == 2
        assert ssh(cloud, key, "cat /root/runs") == "once"

        # Stopped by its power button, which is quicker than the patience for those that do not listen.
        began = time.monotonic()
        admin.compute.stop_server(server_id)
        wait_for(admin, server_id, "SHUTOFF", power=4)
        assert time.monotonic() - began < 45
        assert "web is SHUTOFF" in cloud.fails("minicloud", "ssh", "web", "--", "true")
        assert cloud.guests() == {}
        assert_ready_again(cloud, admin, server_id, 4, "start")
        assert ssh(cloud, key, "uname", "-sn") == first
        assert admin.compute.get_server(server_id).addresses["private"][0]["addr"] == address

        assert_the_story_is_told(cloud, server_id)

        # Powered off from inside.
        power_off_inside(cloud, key)
        wait_for(admin, server_id, "SHUTOFF", power=4)
        assert [action.action for action in admin.compute.server_actions(server_id)] == [
            *("start", "stop", "reboot", "reboot", "create")
        ]
        [port] = admin.network.ports(device_id=server_id)
        assert port.id in cloud.ports()
        delete(admin, admin.compute.get_server(server_id))
    assert cloud.guests() == {}
    assert not list(cloud.data.glob(f"hosts/*/instances/{server_id}*"))
    assert cloud.ports() == []


def test_a_guest_with_its_data_on_a_drive_and_no_network(cloud: Journey) -> None:
    words = ["--image", "minilinux", "--flavor", "m1.nano", "--nic", "none", "--config-drive", "True"]
    key = cloud.home / "key"
    if not key.exists():
        a_key(cloud.home)
        cloud.does("openstack", "keypair", "create", "--public-key", f"{key}.pub", "k")
    made = cloud.tells("server", "create", *words, "--key-name", "k", "--wait", "island")
    assert made["config_drive"] in ("True", True)
    console = cloud.wait_for_console("island", READY)
    assert "minilinux: metadata from configdrive" in console
    assert "minilinux: hostname island" in console
    assert "minilinux: key installed k" in console
    assert "has no port" in cloud.fails("minicloud", "ssh", "island", "--", "true")


def test_networks_with_the_same_addresses_keep_their_guests_apart(cloud: Journey) -> None:
    key = cloud.home / "twins"
    key.mkdir()
    key = a_key(key)
    with cloud.connect() as admin:
        admin.compute.create_keypair(name="twins", public_key=key.with_suffix(".pub").read_text())
        servers = []
        for name in ("east", "west"):
            network = admin.network.create_network(name=name)
            subnet = admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.50.0.0/24")
            servers.append(create(admin, name, network.id, fixed_ip="10.50.0.10", key_name="twins"))
            assert subnet.is_dhcp_enabled
        for server in servers:
            assert admin.compute.wait_for_server(server, interval=0.1, wait=int(PATIENCE_S)).status == "ACTIVE"
        for server in servers:
            console = cloud.wait_for_console(server.id, READY)
            assert f"minilinux: hostname {server.name}" in console
            asked = "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"
            assert f'"uuid":"{server.id}"' in ssh(cloud, key, asked, server=server.name).replace(" ", "")
            assert "10.50.0.10/24" in ssh(cloud, key, "ip address show eth0", server=server.name)
        for server in servers:
            delete(admin, server)
        for name in ("east", "west"):
            admin.network.delete_network(admin.network.find_network(name))


def test_a_guest_outlives_the_cloud_that_is_killed(cloud: Journey) -> None:
    key = cloud.home / "survivor"
    key.mkdir()
    key = a_key(key)
    with cloud.connect() as admin:
        admin.compute.create_keypair(name="survivor", public_key=key.with_suffix(".pub").read_text())
        network = admin.network.find_network("private")
        server = create(admin, "survivor", network.id, key_name="survivor")
        admin.compute.wait_for_server(server, interval=0.1, wait=int(PATIENCE_S))
    cloud.wait_for_console("survivor", READY)
    before, url = cloud.guests(), cloud.facts()["url"]
    ssh(cloud, key, "echo still here >/run/memory", server="survivor")

    cloud.kill()
    assert cloud.guests() == before
    assert cloud.run("minicloud", "status").returncode == 1
    cloud.up()
    assert cloud.guests() == before
    assert cloud.facts()["url"] != url
    with cloud.connect() as admin:
        found = admin.compute.get_server(server.id)
        assert (found.status, found.power_state, found.task_state) == ("ACTIVE", 1, None)
        assert ssh(cloud, key, "cat /run/memory", server="survivor") == "still here"
        asked = "wget -q -O - http://169.254.169.254/latest/meta-data/instance-id"
        assert ssh(cloud, key, asked, server="survivor").startswith("i-")

        # The guest that was found again is watched, too.
        power_off_inside(cloud, key, server="survivor")
        wait_for(admin, server.id, "SHUTOFF", power=4)


def test_clouds_side_by_side_do_not_meet(cloud: Journey, cache: Path, tmp_path: Path) -> None:
    key = cloud.home / "neighbour"
    key.mkdir()
    key = a_key(key)
    with a_journey(tmp_path / "other", cache=cache, driver="qemu", accelerator="tcg") as other:
        other.up()
        servers: list[Any] = []
        for each in (cloud, other):
            with each.connect() as admin:
                admin.compute.create_keypair(name="neighbour", public_key=key.with_suffix(".pub").read_text())
                network = admin.network.find_network("private")
                servers.append(create(admin, "twin", network.id, fixed_ip="10.10.1.10", key_name="neighbour"))
        for each, server in zip((cloud, other), servers, strict=True):
            each.wait_for_console("twin", READY)
            asked = "wget -q -O - http://169.254.169.254/openstack/latest/meta_data.json"
            assert server.id in ssh(each, key, asked, server="twin")
            assert set(each.guests()) == {server.id}

        data, cloud_id = other.data, other.cloud_id()
        assert "data" in other.does("minicloud", "down", "--stop-servers", "--purge", "--yes")
        assert leftovers(data, cloud_id) == []
        assert not [words for _, words in processes() if servers[1].id in words]
        assert ssh(cloud, key, "hostname", server="twin") == "twin"


def test_a_guest_of_kernel_and_ramdisk(cloud: Journey, image: GuestImage) -> None:
    parts = {}
    for kind, path in (("aki", image.kernel), ("ari", image.boot_ramdisk)):
        words = ["--disk-format", kind, "--container-format", kind, "--file", path]
        parts[kind] = cloud.tells("image", "create", *words, f"minilinux-{kind}")["id"]
    properties = ["--property", f"kernel_id={parts['aki']}", "--property", f"ramdisk_id={parts['ari']}"]
    words = ["--disk-format", "ami", "--container-format", "ami", "--file", image.root, *properties]
    cloud.tells("image", "create", *words, "minilinux-ami")
    with cloud.connect() as admin:
        network = admin.network.find_network("private")
        server = create(admin, "bare", network.id, image="minilinux-ami")
        server = admin.compute.wait_for_server(server, interval=0.1, wait=int(PATIENCE_S))
        assert (server.kernel_id, server.ramdisk_id) == (parts["aki"], parts["ari"])
        console = cloud.wait_for_console("bare", READY)
        assert "SYSLINUX" not in console
        assert "root=/dev/vda" in console
        assert "minilinux: hostname bare" in console
        # The disk has grown to the flavor's size of 1 GiB.
        [size] = re.findall(r"minilinux: root (\d+)M on /dev/vda", console)
        assert int(size) > 900


OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=60")


def ssh(cloud: Journey, key: Path, *command: str, server: str = "web") -> str:
    """What a command says in a guest, as its user reaches it."""
    return cloud.does("minicloud", "ssh", server, "-i", key, *OPTIONS, "--", *command).strip()


def power_off_inside(cloud: Journey, key: Path, *, server: str = "web") -> None:
    """By its user, whom the guest may cut off before he hears that it was done."""
    done = cloud.run("minicloud", "ssh", server, "-i", key, *OPTIONS, "--", "poweroff")
    assert done.returncode in (0, 255), done.stderr


def create(
    admin: Connection,
    name: str,
    network: str,
    *,
    image: str = "minilinux",
    flavor: str = "m1.nano",
    fixed_ip: str = "",
    **more: Any,
) -> Any:
    """A small server on one network; it is not waited for."""
    nic = {"uuid": network} | ({"fixed_ip": fixed_ip} if fixed_ip else {})
    return admin.compute.create_server(
        name=name,
        image_id=admin.image.find_image(image, ignore_missing=False).id,
        flavor_id=admin.compute.find_flavor(flavor, ignore_missing=False).id,
        networks=[nic],
        **more,
    )


def delete(admin: Connection, server: Any) -> None:
    admin.compute.delete_server(server)
    admin.compute.wait_for_delete(server, interval=0.1, wait=int(PATIENCE_S))


def wait_for(admin: Connection, server_id: str, status: str, *, power: int) -> None:
    """Until a server's status and power state are these, and nothing is under way."""

    def reached() -> bool:
        server = admin.compute.get_server(server_id)
        return (server.status, server.power_state, server.task_state) == (status, power, None)

    until(reached, lambda: f"{status}, but {admin.compute.get_server(server_id)}")


def assert_ready_again(cloud: Journey, admin: Connection, server_id: str, times: int, verb: str, *more: str) -> None:
    """The guest has booted for the so-manieth time after being asked."""
    getattr(admin.compute, f"{verb}_server")(server_id, *more)
    cloud.wait_for_console(server_id, READY, times=times)
    wait_for(admin, server_id, "ACTIVE", power=1)


def assert_the_story_is_told(cloud: Journey, server_id: str) -> None:
    """``minicloud explain`` holds every part of the create, and the exact command line of QEMU."""
    story = cloud.does("minicloud", "explain", "web")
    for part in ("policy", "quota", "candidate", "filter", "weigh", "claim", "port", "image", "root disk", " ms"):
        assert part in story, f"{part} is missing in:\n{story}"
    for saga in ("CreateServer", "RebootServer", "StopServer", "StartServer"):
        assert f"{saga} has finished" in story
    [running] = [words for _, words in processes() if server_id in words]
    plain = story.replace("'", "")
    # All but the program's own name, which the trace tells without its folder.
    for word in running[1:]:
        assert word in plain, f"{word} of QEMU's command line is missing"
