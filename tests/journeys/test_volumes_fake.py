"""Volumes by the openstack command on simulated hosts: the five ways to deploy a server, and what the owner sees on the way."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.journeys import Journey, a_journey, until

pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore::ResourceWarning")]
SERVER = ("server", "create", "--flavor", "m1.tiny", "--network", "private", "--wait")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("volumes"), driver="fake") as journey:
        journey.up("--volume-backends", "fast:100,slow:50")
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


def test_a_volume_goes_from_one_backend_to_another(cloud: Journey) -> None:
    assert [pool["Name"] for pool in cloud.tells("volume", "backend", "pool", "list")] == [
        "control@fake#fake",
        "control@fast#fast",
        "control@slow#slow",
    ]
    services = cloud.tells("volume", "service", "list", "--service", "cinder-volume")
    assert [one["Host"] for one in services] == ["control@fake", "control@fast", "control@slow"]
    for name in ("fast", "slow"):
        cloud.does("openstack", "volume", "type", "create", "--property", f"volume_backend_name={name}", name)
    made = cloud.tells("volume", "create", "--size", "1", "--type", "fast", "moving")
    with cloud.connect() as admin:

        def moved(host: str, migration: str | None, status: str) -> Callable[[], bool]:
            def look() -> bool:
                now = admin.block_storage.get_volume(made["id"])
                return (now.host, now.migration_status, now.status) == (host, migration, status)

            return look

        until(moved("control@fast#fast", None, "available"), "it is on the backend of its type")
        flavor, image = admin.compute.find_flavor("m1.tiny"), admin.image.find_image("minilinux")
        server = admin.compute.create_server(name="mover", flavor_id=flavor.id, image_id=image.id, networks="auto")
        admin.compute.wait_for_server(server, interval=0.2, wait=60)
        admin.compute.create_volume_attachment(server, volume_id=made["id"])
        until(moved("control@fast#fast", None, "in-use"), "the server has it")

        refused = cloud.fails("openstack", "volume", "migrate", "--host", "control@none", "moving")
        assert "No available service named 'control@none'" in refused
        # Its type does not allow the other backend: a retype leads it there.
        cloud.does("openstack", "volume", "migrate", "--host", "control@slow#slow", "moving")
        until(moved("control@fast#fast", "error", "in-use"), "it stays")
        cloud.does("openstack", "volume", "set", "--type", "slow", "--retype-policy", "on-demand", "moving")
        until(moved("control@slow#slow", "success", "in-use"), "it has moved")
        told = cloud.does("minicloud", "explain", made["id"])
        assert "is on control@slow#slow now, and no longer on control@fast#fast" in told
        assert "storage backend control@slow cannot take it: CapabilitiesFilter" in told
        assert "swap_volume" in [action.action for action in admin.compute.server_actions(server)]

        admin.compute.delete_server(server)
        admin.compute.wait_for_delete(server, interval=0.2, wait=60)
        until(moved("control@slow#slow", "success", "available"), "nobody has it")
        admin.block_storage.retype_volume(made["id"], "__DEFAULT__", "never")
        cloud.does("openstack", "volume", "migrate", "--lock-volume", "--host", "control@fast#fast", "moving")
        until(moved("control@fast#fast", "success", "available"), "it has moved back")
        admin.block_storage.delete_volume(made["id"])
