"""Volumes by the openstack command on simulated hosts: the five ways to deploy a server, and what the owner sees on the way."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.journeys import Journey, a_journey

pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SERVER = ("server", "create", "--flavor", "m1.tiny", "--network", "private", "--wait")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("volumes"), driver="fake") as journey:
        journey.up()
        yield journey


def status(cloud: Journey, name: str) -> Any:
    return cloud.tells("volume", "show", name)["status"]


def test_five_ways_to_deploy_a_server(cloud: Journey) -> None:
    made = cloud.tells("volume", "create", "--size", "1", "--property", "colour=red", "data")
    assert (made["status"], made["type"], made["size"]) == ("creating", "__DEFAULT__", 1)
    assert cloud.tells("volume", "show", "data")["properties"] == {"colour": "red"}

    first = cloud.tells(*SERVER, "--image", "minilinux", "first")
    added = cloud.tells("server", "add", "volume", "first", "data", "--device", "/dev/vdb")
    assert added["Device"] == "/dev/vdb"
    assert status(cloud, "data") == "in-use"
    [row] = cloud.tells("server", "volume", "list", "first")
    assert row["Volume ID"] == made["id"]
    cloud.does("openstack", "volume", "set", "--size", "3", "data")
    # Of this version on a volume in use needs no force; the command asks in the oldest one otherwise, and leaves the word out.
    newer = ("--os-volume-api-version", "3.70")
    cloud.tells(*newer, "volume", "snapshot", "create", "--volume", "data", "frozen")
    assert cloud.tells("volume", "snapshot", "show", "frozen")["status"] == "available"
    assert "have snapshots" in cloud.fails("openstack", "volume", "delete", "data")
    told = cloud.does("minicloud", "explain", made["id"])
    assert "storage backend control@fake can take it" in told
    assert "was creating and is available" in told
    cloud.does("openstack", "server", "remove", "volume", "first", "data")

    picture = cloud.tells("server", "image", "create", "--wait", "--name", "picture", "first")
    second = cloud.tells(*SERVER, "--image", picture["id"], "second")
    third = cloud.tells(*SERVER, "--image", "minilinux", "--boot-from-volume", "2", "third")
    [root] = third["attached_volumes" if "attached_volumes" in third else "volumes_attached"]
    cloud.does("openstack", "server", "delete", "--wait", "third")
    fourth = cloud.tells(*SERVER, "--volume", root["id"], "fourth")
    cloud.does("openstack", "server", "delete", "--wait", "fourth")
    kept = cloud.tells("volume", "snapshot", "create", "--volume", root["id"], "kept")
    fifth = cloud.tells(*SERVER, "--snapshot", kept["id"], "fifth")
    for server in (first, second, third, fourth, fifth):
        assert server["status"] == "ACTIVE"

    cloud.does("openstack", "server", "delete", "--wait", "first", "second", "fifth")
    cloud.does("openstack", "volume", "snapshot", "delete", "kept", "frozen")
    for volume in cloud.tells("volume", "list"):
        cloud.does("openstack", "volume", "delete", volume["ID"])
    assert cloud.tells("volume", "list") == []
