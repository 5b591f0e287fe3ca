"""A new user's first hour with simulated servers, by the openstack command, openstacksdk and minicloud's own commands."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openstack.exceptions import BadRequestException, ConflictException, ForbiddenException, HttpException, SDKException

from tests.support.journeys import Journey, a_journey, a_key, by_name

pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    with a_journey(tmp_path_factory.mktemp("fake"), driver="fake") as journey:
        said = journey.up()
        assert "minicloud is up at http://127.0.0.1:" in said
        assert "openstack server create --image minilinux" in said
        yield journey


@pytest.fixture(autouse=True)
def nothing_left(cloud: Journey) -> Iterator[None]:
    """One story's servers must not be found in the next."""
    yield
    with cloud.connect() as admin:
        left = list(admin.compute.servers(all_projects=True))
        for server in left:
            admin.compute.delete_server(server)
        for server in left:
            admin.compute.wait_for_delete(server, interval=0.05)


def test_the_first_server_by_the_openstack_command(cloud: Journey) -> None:
    assert cloud.environment["OS_CLOUD"] == "minicloud"
    assert Path(cloud.environment["OS_CLIENT_CONFIG_FILE"]) == cloud.data / "clouds.yaml"
    assert (cloud.data / "clouds.yaml").stat().st_mode & 0o077 == 0
    key = a_key(cloud.home)
    script = cloud.home / "user-data"
    script.write_text("#!/bin/sh\necho hello\n")

    made = cloud.tells("keypair", "create", "--public-key", f"{key}.pub", "k")
    assert made["name"] == "k"
    create = ["server", "create", "--image", "minilinux", "--flavor", "m1.tiny", "--network", "private"]
    web = cloud.tells(*create, "--key-name", "k", "--user-data", script, "--wait", "web")
    assert web["status"] == "ACTIVE"
    assert web["key_name"] == "k"
    assert web["OS-EXT-STS:power_state"] == 1
    assert web["flavor"]["ram"] == 512
    [address] = web["addresses"]["private"]
    assert web["adminPass"]

    shown = cloud.tells("server", "show", "web")
    assert shown["id"] == web["id"]
    assert shown["image"].startswith("minilinux (")
    assert "adminPass" not in shown
    [row] = cloud.tells("server", "list")
    assert row == {
        "ID": web["id"],
        "Name": "web",
        "Status": "ACTIVE",
        "Networks": {"private": [address]},
        "Image": "minilinux",
        "Flavor": "m1.tiny",
    }
    assert "setting hostname to web" in cloud.does("openstack", "console", "log", "show", "web")

    cloud.does("openstack", "server", "reboot", "--wait", "web")
    # Without --wait: the client looks again after 5 s, and the server is back after 5 ms.
    cloud.does("openstack", "server", "reboot", "--hard", "web")
    cloud.does("openstack", "server", "stop", "web")
    assert cloud.tells("server", "show", "web")["status"] == "SHUTOFF"
    assert "409" in cloud.fails("openstack", "server", "stop", "web")
    cloud.does("openstack", "server", "start", "web")

    events = cloud.tells("server", "event", "list", "web")
    assert [event["Action"] for event in events] == ["start", "stop", "reboot", "reboot", "create"]
    told = cloud.tells("server", "event", "show", "web", events[-1]["Request ID"])
    assert told["action"] == "create"
    assert [event["result"] for event in told["events"]] == ["Success"]

    cloud.does("openstack", "server", "delete", "--wait", "web")
    assert cloud.tells("server", "list") == []


def test_a_server_that_cannot_be_is_refused_in_words(cloud: Journey) -> None:
    given = {"--image": "minilinux", "--flavor": "m1.nano", "--network": "private"}
    for option, wrong in (("--flavor", "m9.huge"), ("--image", "nothing"), ("--network", "nowhere")):
        words = [word for pair in (given | {option: wrong}).items() for word in pair]
        assert f"found for {wrong}" in cloud.fails("openstack", "server", "create", *words, "--wait", "bad")

    with cloud.connect() as admin:
        flavor = admin.compute.create_flavor(name="m1.vast", ram=64, vcpus=1, disk=1 << 20)
        words = [word for pair in (given | {"--flavor": flavor.name}).items() for word in pair]
        assert "Error creating server: bad" in cloud.fails("openstack", "server", "create", *words, "--wait", "bad")
        bad = admin.compute.find_server("bad", details=True)
        assert bad.status == "ERROR"
        assert bad.fault["code"] == 500
        assert bad.fault["message"].startswith("No valid host was found.")
        assert not list(admin.network.ports(device_id=bad.id))
        told = admin.placement.get(f"/allocations/{bad.id}").json()
        assert told["allocations"] == {}
    assert "DISK_GB" in cloud.does("minicloud", "explain", "bad")


def test_images_by_the_openstack_command(cloud: Journey) -> None:
    bytes_ = bytes(range(256)) * 4096
    source, copy = cloud.home / "disk.raw", cloud.home / "copy.raw"
    source.write_bytes(bytes_)
    made = cloud.tells(
        "image", "create", "--disk-format", "raw", "--file", source, "--property", "os_type=linux", "mine"
    )
    assert made["name"] == "mine"
    shown = cloud.tells("image", "show", "mine")
    assert (shown["status"], shown["size"]) == ("active", len(bytes_))
    assert shown["properties"]["os_type"] == "linux"
    cloud.does("openstack", "image", "save", "--file", copy, "mine")
    assert copy.read_bytes() == bytes_
    assert set(by_name(cloud.tells("image", "list"))) == {"minilinux", "mine"}
    cloud.does("openstack", "image", "delete", "mine")
    assert "No Image found for mine" in cloud.fails("openstack", "image", "show", "mine")


def test_networks_by_the_openstack_command(cloud: Journey) -> None:
    cloud.tells("network", "create", "blue")
    subnet = cloud.tells("subnet", "create", "--network", "blue", "--subnet-range", "10.20.0.0/24", "blue-v4")
    assert subnet["gateway_ip"] == "10.20.0.1"
    port = cloud.tells("port", "create", "--network", "blue", "--fixed-ip", "ip-address=10.20.0.77", "door")
    assert [fixed["ip_address"] for fixed in port["fixed_ips"]] == ["10.20.0.77"]
    assert {"private", "public", "blue"} <= set(by_name(cloud.tells("network", "list")))
    assert "409" in cloud.fails("openstack", "network", "delete", "blue")
    cloud.does("openstack", "port", "delete", "door")
    cloud.does("openstack", "network", "delete", "blue")
    assert "blue" not in by_name(cloud.tells("network", "list"))


def test_an_administrators_small_things_by_the_openstack_command(cloud: Journey) -> None:
    flavor = cloud.tells("flavor", "create", "--ram", "96", "--disk", "1", "--vcpus", "1", "--property", "hw:a=b", "m0")
    assert (flavor["ram"], flavor["properties"]) == (96, {"hw:a": "b"})
    quota = {row["Resource"]: row["Limit"] for row in cloud.tells("quota", "show", "--compute", "demo")}
    assert (quota["instances"], quota["cores"], quota["ram"]) == (10, 20, 51200)
    quota = {row["Resource"]: row["Limit"] for row in cloud.tells("quota", "show", "--network", "demo")}
    assert quota["networks"] == 100
    services = {row["Binary"]: row["State"] for row in cloud.tells("compute", "service", "list")}
    assert services == {"nova-compute": "up", "nova-conductor": "up", "nova-scheduler": "up"}
    [hypervisor] = cloud.tells("hypervisor", "list")
    assert hypervisor["State"] == "up"


def test_servers_of_every_kind_by_the_sdk(cloud: Journey) -> None:
    with cloud.connect() as admin:
        image = admin.image.find_image("minilinux", ignore_missing=False)
        flavor = admin.compute.find_flavor("m1.nano", ignore_missing=False)
        network = admin.network.find_network("private", ignore_missing=False)
        made = [
            admin.compute.create_server(
                name=f"s{number}",
                image_id=image.id,
                flavor_id=flavor.id,
                networks=[{"uuid": network.id}],
                metadata={"number": str(number)},
            )
            for number in range(5)
        ]
        servers = [admin.compute.wait_for_server(server, interval=0.05) for server in made]
        assert {server.status for server in servers} == {"ACTIVE"}
        assert len({server.addresses["private"][0]["addr"] for server in servers}) == 5
        assert [server.name for server in admin.compute.servers(limit=2, sort_key="display_name", sort_dir="asc")] == [
            f"s{number}" for number in range(5)
        ]
        assert [server.name for server in admin.compute.servers(name="s3")] == ["s3"]
        assert admin.compute.get_server(made[3].id).metadata == {"number": "3"}

        [ready] = admin.network.ports(device_id=servers[0].id)
        assert (ready.status, ready.binding_host_id) == ("ACTIVE", "host-1")
        port = admin.network.create_port(network_id=network.id, name="lent")
        guest = admin.compute.create_server(
            name="by-port", image_id=image.id, flavor_id=flavor.id, networks=[{"port": port.id}], config_drive=True
        )
        guest = admin.compute.wait_for_server(guest, interval=0.05)
        assert guest.has_config_drive
        assert admin.network.get_port(port.id).device_id == guest.id
        admin.compute.delete_server(guest)
        admin.compute.wait_for_delete(guest, interval=0.05)
        assert (admin.network.get_port(port.id).device_id, admin.network.get_port(port.id).status) == ("", "DOWN")
        admin.network.delete_port(port)

        provider = next(iter(admin.placement.resource_providers(name="host-1")))
        used = admin.placement.get(f"/resource_providers/{provider.id}/usages").json()["usages"]
        assert (used["VCPU"], used["MEMORY_MB"], used["DISK_GB"]) == (5, 5 * 128, 5)
        alone = admin.compute.create_server(name="alone", image_id=image.id, flavor_id=flavor.id, networks="none")
        assert not admin.compute.wait_for_server(alone, interval=0.05).addresses
        for server in [*servers, alone]:
            admin.compute.delete_server(server)
        for server in [*servers, alone]:
            admin.compute.wait_for_delete(server, interval=0.05)
        used = admin.placement.get(f"/resource_providers/{provider.id}/usages").json()["usages"]
        assert not any(used.values())
        assert not list(admin.network.ports(device_id=servers[0].id))


def test_wrong_questions_have_right_answers_in_the_sdk(cloud: Journey) -> None:
    with cloud.connect() as admin:
        image = admin.image.find_image("minilinux", ignore_missing=False)
        flavor = admin.compute.find_flavor("m1.nano", ignore_missing=False)
        network = admin.network.find_network("private", ignore_missing=False)
        good = {"name": "x", "image_id": image.id, "flavor_id": flavor.id, "networks": [{"uuid": network.id}]}
        unknown = "00000000-0000-0000-0000-000000000000"
        for wrong in (
            {"image_id": unknown},
            {"flavor_id": "nope"},
            {"networks": [{"uuid": unknown}]},
            {"networks": [{"port": unknown}]},
            {"key_name": "nobody's"},
            {"name": ""},
            {"networks": "sometimes"},
            {"user_data": "not base64!"},
            {"security_groups": [{"name": "nope"}]},
            {"availability_zone": "atlantis"},
            {"min_count": 3, "max_count": 2},
        ):
            with pytest.raises(BadRequestException) as caught:
                raise AssertionError(f"{wrong} made {admin.compute.create_server(**(good | wrong))}")
            assert caught.value.details, wrong
        with pytest.raises(HttpException) as many:
            admin.compute.create_server(**(good | {"min_count": 11, "max_count": 11}))
        assert many.value.status_code == 403
        assert "Quota exceeded" in str(many.value)
        assert [server.name for server in admin.compute.servers()] == []
        subnet = next(iter(admin.network.subnets(network_id=network.id)))
        with pytest.raises(ConflictException):
            admin.network.delete_network(network)
        with pytest.raises(BadRequestException):
            admin.network.create_subnet(network_id=network.id, ip_version=4, cidr=subnet.cidr)
        with pytest.raises(ForbiddenException):
            admin.image.update_image(image, os_hash_value="0" * 128)


def test_each_project_sees_its_own(cloud: Journey) -> None:
    with cloud.connect() as admin, cloud.connect("minicloud-demo") as demo:
        project = admin.identity.create_project(name="class", domain_id="default")
        user = admin.identity.create_user(name="pupil", password="chalk", default_project_id=project.id)
        admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("member"))
        clouds = [demo, cloud.connect(auth={"username": "pupil", "password": "chalk", "project_name": "class"})]
        servers = []
        for number, each in enumerate(clouds):
            network = each.network.create_network(name="mine")
            each.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
            each.compute.create_keypair(name="mine", type="ssh", public_key=_public_key(cloud.home, number))
            server = each.compute.create_server(
                name="mine",
                image_id=each.image.find_image("minilinux").id,
                flavor_id=each.compute.find_flavor("m1.nano").id,
                networks=[{"uuid": network.id}],
                key_name="mine",
            )
            servers.append(each.compute.wait_for_server(server, interval=0.05))
        for each, own in zip(clouds, servers, strict=True):
            assert [server.id for server in each.compute.servers()] == [own.id]
            assert [network.project_id for network in each.network.networks(name="mine")] == [own.project_id]
            assert len(list(each.compute.keypairs())) == 1
            with pytest.raises(ForbiddenException):
                list(each.compute.servers(all_projects=True))
            assert own.compute_host is None
        assert servers[0].addresses["mine"][0]["addr"] == servers[1].addresses["mine"][0]["addr"]
        assert demo.compute.find_server(servers[1].id) is None
        with pytest.raises(SDKException):
            demo.compute.delete_server(servers[1].id, ignore_missing=False)
        assert len(list(admin.compute.servers(all_projects=True))) == 2


def test_minicloud_tells_what_it_did(cloud: Journey) -> None:
    with cloud.connect() as admin:
        server = admin.compute.create_server(
            name="told",
            image_id=admin.image.find_image("minilinux").id,
            flavor_id=admin.compute.find_flavor("m1.nano").id,
            networks=[{"uuid": admin.network.find_network("private").id}],
        )
        admin.compute.wait_for_server(server, interval=0.05)
        [action] = admin.compute.server_actions(server)
        story = cloud.does("minicloud", "explain", "told")
        for part in ("policy", "quota", "candidate", "filter", "weigh", "claim", "port", "CreateServer", " ms"):
            assert part in story, f"{part} is missing in:\n{story}"
        assert cloud.does("minicloud", "explain", action.request_id).count("CreateServer") > 0
        assert json.loads(cloud.does("minicloud", "explain", "told", "--json"))["subject"]["id"] == server.id
        assert "nothing here is called nobody" in cloud.fails("minicloud", "explain", "nobody")

        facts = cloud.facts()
        assert (facts["up"], facts["driver"], facts["servers"]) == (True, "fake", {"ACTIVE": 1})
        assert (facts["open_sagas"], facts["stuck_sagas"]) == (0, 0)
        assert "1 ACTIVE" in cloud.does("minicloud", "status")
        assert "openstack client" in cloud.run("minicloud", "doctor").stdout
        for what, part in (
            ("routes", "/compute/v2.1/servers"),
            ("policies", "os_compute_api:servers:create"),
            ("sagas", "CreateServer"),
            ("settings", "shutdown_timeout"),
        ):
            assert part in cloud.does("minicloud", "inspect", what)


def test_a_folder_in_use_and_a_restart(cloud: Journey) -> None:
    before = cloud.pid()
    assert f"minicloud is up already at http://127.0.0.1:{cloud.facts()['port']}" in cloud.up()
    assert cloud.pid() == before
    assert "is in use by process" in cloud.fails("minicloud", "up", "--detach", "--hosts", "2")
    port = str(cloud.facts()["port"])
    other = cloud.home / "other"
    assert f"port {port}" in cloud.fails("minicloud", "up", "--detach", "--data", str(other), "--port", port)

    with cloud.connect() as admin:
        network = admin.network.create_network(name="kept")
    cloud.does("minicloud", "down")
    assert cloud.run("minicloud", "status").returncode == 1
    cloud.up()
    with cloud.connect() as admin:
        assert admin.network.find_network("kept").id == network.id
        admin.network.delete_network(network)


def _public_key(home: Path, number: int) -> str:
    folder = home / f"keys-{number}"
    folder.mkdir(exist_ok=True)
    return a_key(folder).with_suffix(".pub").read_text()
