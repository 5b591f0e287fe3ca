"""Asking for servers: every field that is offered arrives, what is not offered says so, what makes no sense is refused, and quotas bind."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx
import pytest

from minicloud.core import quota, records
from minicloud.core.compute.servers import Server
from tests.support.clouds import URL, TestedCloud, a_cloud

pytestmark = pytest.mark.anyio
NOBODY = "5eed0000-0000-4000-8000-000000000001"


@pytest.fixture
async def cloud() -> AsyncIterator[TestedCloud]:
    async with AsyncExitStack() as stack:
        yield await a_cloud(stack)


def message(answer: httpx.Response) -> str:
    [fault] = answer.json().values()
    assert fault["code"] == answer.status_code
    return str(fault["message"])


async def only(client: httpx.AsyncClient, path: str, **params: str) -> dict[str, Any]:
    """The one thing that a listing of the network service holds."""
    [found] = next(iter((await client.get(f"/network/v2.0{path}", params=params)).json().values()))
    return dict(found)


async def test_the_answer_is_small_and_tells_where_the_server_will_be(cloud: TestedCloud) -> None:
    answer = await cloud.ask_server(adminPass="my own")
    assert answer.status_code == 202
    server = answer.json()["server"]
    assert server == {
        "id": server["id"],
        "links": [
            {"rel": "self", "href": f"{URL}/compute/v2.1/servers/{server['id']}"},
            {"rel": "bookmark", "href": f"{URL}/compute/servers/{server['id']}"},
        ],
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": "default"}],
        "adminPass": "my own",
    }
    assert answer.headers["location"] == f"{URL}/compute/v2.1/servers/{server['id']}"
    assert len((await cloud.ask_server()).json()["server"]["adminPass"]) == 12
    await cloud.settled()


async def test_the_story_of_a_create_is_told_from_policy_to_publication(cloud: TestedCloud) -> None:
    answer = await cloud.ask_server()
    await cloud.settled()
    request_id = answer.headers["x-openstack-request-id"]
    told = [note.word for note in cloud.notes.notes if note.request_id == request_id]
    story = [
        "policy",
        "quota",
        "server_asked",
        "placement_request",
        "placement_candidates",
        "filter",
        "weigh",
        "selected",
    ]
    story += ["claim", "port_created", "networks_sent", "image", "root_disk", "start_machine", "spawned", "saga"]
    at = [told.index(word) for word in story]
    assert at == sorted(at)
    server_id = answer.json()["server"]["id"]
    assert {note.resource for note in cloud.notes.notes if note.word in ("selected", "claim", "spawned")} == {server_id}


async def test_every_field_that_is_offered_arrives(cloud: TestedCloud) -> None:
    network = await only(cloud.demo, "/networks", name="private")
    group = await cloud.demo.post("/network/v2.0/security-groups", json={"security_group": {"name": "web"}})
    assert group.status_code == 201, group.text
    key = await cloud.demo.post("/compute/v2.1/os-keypairs", json={"keypair": {"name": "k", "public_key": KEY}})
    assert key.status_code == 201, key.text
    auto: dict[str, Any] = {"OS-DCF:diskConfig": "AUTO"}
    server = await cloud.a_server(
        name="spaces around",
        networks=[{"uuid": network["id"], "fixed_ip": "10.10.0.77", "tag": "nic1"}],
        metadata={"a": "b"},
        accessIPv4="192.0.2.1",
        accessIPv6="2001:db8::1",
        availability_zone="nova",
        config_drive=True,
        security_groups=[{"name": "web"}],
        user_data=base64.b64encode(b"#!/bin/sh").decode(),
        key_name="k",
        description="for the web",
        tags=["blue", "green"],
        hostname="web-1",
        **auto,
    )
    seen = await cloud.server(server["id"], cloud.admin)
    assert server["status"] == "ACTIVE", server.get("fault")
    assert {
        "name": server["name"],
        "metadata": server["metadata"],
        "addresses": [a["addr"] for places in server["addresses"].values() for a in places],
        "access": (server["accessIPv4"], server["accessIPv6"]),
        "zone": (server["OS-EXT-AZ:availability_zone"], server["pinned_availability_zone"]),
        "drive": server["config_drive"],
        "groups": server["security_groups"],
        "key": server["key_name"],
        "described": (server["description"], sorted(server["tags"])),
        "host name": server["OS-EXT-SRV-ATTR:hostname"],
        "disk": server["OS-DCF:diskConfig"],
        "data": base64.b64decode(seen["OS-EXT-SRV-ATTR:user_data"]),
    } == {
        "name": "spaces around",
        "metadata": {"a": "b"},
        "addresses": ["10.10.0.77"],
        "access": ("192.0.2.1", "2001:db8::1"),
        "zone": ("nova", "nova"),
        "drive": "True",
        "groups": [{"name": "web"}],
        "key": "k",
        "described": ("for the web", ["blue", "green"]),
        "host name": "web-1",
        "disk": "AUTO",
        "data": b"#!/bin/sh",
    }
    port = await only(cloud.demo, "/ports", device_id=server["id"])
    assert port["security_groups"] == [group.json()["security_group"]["id"]]
    assert port["status"] == "ACTIVE"


async def test_user_data_may_be_in_lines_as_base64_writes_it(cloud: TestedCloud) -> None:
    lines = base64.encodebytes(b"#!/bin/sh\n" * 40).decode()
    assert lines.count("\n") > 2
    server = await cloud.a_server(user_data=lines)
    assert (await cloud.server(server["id"], cloud.admin))["OS-EXT-SRV-ATTR:user_data"] == lines


async def test_a_users_own_port_is_lent_and_given_back(cloud: TestedCloud) -> None:
    network = await only(cloud.demo, "/networks", name="private")
    made = await cloud.demo.post("/network/v2.0/ports", json={"port": {"network_id": network["id"], "name": "mine"}})
    port_id = made.json()["port"]["id"]
    server = await cloud.a_server(networks=[{"port": port_id}])
    lent = await only(cloud.demo, "/ports", name="mine")
    assert (lent["device_id"], lent["device_owner"], lent["status"]) == (server["id"], "compute:nova", "ACTIVE")
    twice = await cloud.ask_server(networks=[{"port": port_id}])
    assert (twice.status_code, message(twice)) == (409, f"Port {port_id} is still in use.")
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{server['id']}")).status_code == 204
    await cloud.settled()
    back = await only(cloud.demo, "/ports", name="mine")
    assert (back["id"], back["device_id"], back["device_owner"]) == (port_id, "", "")
    assert back["fixed_ips"] == lent["fixed_ips"]


async def test_a_server_without_a_network(cloud: TestedCloud) -> None:
    server = await cloud.a_server(networks="none")
    assert (server["status"], server["addresses"]) == ("ACTIVE", {})
    assert "security_groups" not in server


async def test_old_versions_need_no_word_about_networks_and_describe_by_name(cloud: TestedCloud) -> None:
    old = {"OpenStack-API-Version": "compute 2.1"}
    asked = await cloud.ask_server(networks=None, headers=old)
    assert asked.status_code == 202
    await cloud.settled()
    server = await cloud.server(asked.json()["server"]["id"])
    assert (list(server["addresses"]), server["description"]) == (["private"], "web")
    refused = await cloud.ask_server(networks=None)
    assert message(refused) == "'networks' is a required property"


async def test_several_servers_at_once(cloud: TestedCloud) -> None:
    answer = await cloud.ask_server(name="web", min_count=2, max_count=3, return_reservation_id=True)
    reservation = answer.json()["reservation_id"]
    assert reservation.startswith("r-")
    await cloud.settled()
    found = await cloud.demo.get("/compute/v2.1/servers/detail", params={"reservation_id": reservation})
    servers = found.json()["servers"]
    assert sorted(s["name"] for s in servers) == ["web-1", "web-2", "web-3"]
    assert {s["status"] for s in servers} == {"ACTIVE"}
    assert len({a["addr"] for s in servers for places in s["addresses"].values() for a in places}) == 3


async def test_trusted_certificates_are_not_offered(cloud: TestedCloud) -> None:
    answer = await cloud.ask_server(trusted_image_certificates=["a"])
    assert (answer.status_code, list(answer.json())) == (501, ["notImplemented"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "n" * 256}, "name"),
        ({"name": None}, "'name' is a required property"),
        ({"flavorRef": None}, "'flavorRef' is a required property"),
        ({"flavorRef": "nonsense"}, "Flavor nonsense could not be found."),
        ({"imageRef": NOBODY}, "Can not find requested image"),
        ({"imageRef": ""}, "Invalid image identifier or unable to use requested image."),
        ({"imageRef": 7}, "imageRef"),
        ({"networks": "some"}, "networks"),
        ({"networks": [{"uuid": "x"}]}, "uuid"),
        ({"networks": [{"uuid": NOBODY}]}, f"Network {NOBODY} could not be found."),
        ({"networks": [{"port": NOBODY}]}, f"Port id {NOBODY} could not be found."),
        ({"networks": [{}]}, "Bad networks format"),
        ({"networks": [{"port": NOBODY, "fixed_ip": "10.0.0.1"}]}, "cannot be specified together"),
        ({"networks": [{"uuid": NOBODY, "fixed_ip": "x"}]}, "fixed_ip"),
        ({"networks": [{"uuid": NOBODY, "what": 1}]}, "Additional properties are not allowed ('what' was unexpected)"),
        ({"metadata": {"a": 5}}, "metadata"),
        ({"metadata": {"": "a"}}, "metadata"),
        ({"metadata": {"a": "b" * 256}}, "metadata"),
        ({"key_name": "nobody's"}, "Invalid key_name provided."),
        ({"user_data": "not b64"}, "'not b64' is not a 'base64'"),
        # The form of all is looked at before the meaning of any.
        ({"imageRef": NOBODY, "accessIPv4": "x"}, "accessIPv4"),
        ({"imageRef": NOBODY, "networks": [{"port": NOBODY, "fixed_ip": "x"}]}, "attribute fixed_ip"),
        ({"networks": [{"port": NOBODY, "fixed_ip": "10.0.0.1"}], "user_data": "YQ"}, "attribute user_data"),
        ({"flavorRef": ""}, "attribute flavorRef"),
        ({"imageRef": f"http://glance/images/{NOBODY}"}, "is not a 'uuid'"),
        ({"user_data": "A" * 65536}, "user_data"),
        ({"min_count": 0}, "min_count"),
        ({"min_count": 3, "max_count": 2}, "min_count must be <= max_count"),
        ({"accessIPv4": "x"}, "accessIPv4"),
        ({"availability_zone": "mars"}, "The requested availability zone is not available"),
        ({"security_groups": [{"name": "nobody's"}]}, "Security group nobody's not found"),
        ({"security_groups": [{}]}, "'name' is a required property"),
        ({"security_groups": [{"name": "default", "x": 1}]}, "('x' was unexpected)"),
        ({"hostname": "bad host"}, "hostname"),
        ({"hostname": "ends-with\n"}, "hostname"),
        ({"tags": ["t" * 61]}, "tags"),
        ({"tags": [str(n) for n in range(51)]}, "tags"),
        ({"description": "d" * 256}, "description"),
        ({"config_drive": "perhaps"}, "config_drive"),
        ({"unknown": 1}, "Additional properties are not allowed ('unknown' was unexpected)"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_is_left(
    cloud: TestedCloud, fields: dict[str, Any], words: str
) -> None:
    answer = await cloud.ask_server(**fields)
    assert answer.status_code == 400, answer.text
    assert words in message(answer)
    await cloud.settled()
    assert await cloud.read(lambda tx: records.count(tx, Server)) == 0


async def test_fields_are_refused_before_their_version(cloud: TestedCloud) -> None:
    for version, fields in (
        ("2.18", {"description": "d"}),
        ("2.51", {"tags": ["t"]}),
        ("2.73", {"host": "host-1"}),
        ("2.89", {"hostname": "h"}),
        ("2.31", {"networks": [{"uuid": NOBODY, "tag": "t"}]}),
        ("2.57", {"personality": []}),
    ):
        answer = await cloud.ask_server(headers={"OpenStack-API-Version": f"compute {version}"}, **fields)
        assert answer.status_code == 400, version
        assert "was unexpected" in message(answer), (version, fields)


async def test_only_administrators_say_on_which_host(cloud: TestedCloud) -> None:
    every: list[dict[str, Any]] = [
        {"availability_zone": "nova:host-1"},
        {"host": "host-1"},
        {"hypervisor_hostname": "host-1"},
    ]
    for fields in every:
        answer = await cloud.ask_server(**fields)
        assert answer.status_code == 403, fields
        server = await cloud.a_server(cloud.admin, **fields)
        assert (server["status"], server["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", "host-1")


async def test_a_flavor_that_is_too_small_for_its_image(cloud: TestedCloud) -> None:
    for needs, words in (({"min_ram": 1024}, "memory is too small"), ({"min_disk": 2}, "minimum size")):
        image = {"disk_format": "raw", "container_format": "bare", **needs}
        made = (await cloud.demo.post("/image/v2/images", json=image)).json()
        early = await cloud.ask_server(imageRef=made["id"])
        assert message(early) == f"Image {made['id']} is not active."
        octets = {"Content-Type": "application/octet-stream"}
        await cloud.demo.put(f"/image/v2/images/{made['id']}/file", content=bytes(512), headers=octets)
        answer = await cloud.ask_server(imageRef=made["id"])
        assert answer.status_code == 400
        assert words in message(answer)


async def test_a_flavor_without_a_disk_is_for_volumes_unless_an_administrator_asks(cloud: TestedCloud) -> None:
    flavor = {"name": "diskless", "vcpus": 1, "ram": 128, "disk": 0}
    made = (await cloud.admin.post("/compute/v2.1/flavors", json={"flavor": flavor})).json()["flavor"]["id"]
    answer = await cloud.ask_server(flavorRef=made)
    assert answer.status_code == 403
    assert message(answer) == "Only volume-backed servers are allowed for flavors with zero disk."
    assert (await cloud.a_server(cloud.admin, flavorRef=made))["status"] == "ACTIVE"
    volume = {
        "uuid": await cloud.image_id(),
        "source_type": "image",
        "destination_type": "volume",
        "boot_index": 0,
        "volume_size": 1,
    }
    server = await cloud.a_server(flavorRef=made, imageRef=None, block_device_mapping_v2=[volume])
    assert server["status"] == "ACTIVE", server.get("fault")


async def test_what_no_host_can_give_ends_in_error_and_says_what_was_missing(cloud: TestedCloud) -> None:
    flavor = {"name": "huge", "vcpus": 1, "ram": 1 << 30, "disk": 1}
    made = await cloud.admin.post("/compute/v2.1/flavors", json={"flavor": flavor})
    project = (await cloud.server((await cloud.a_server())["id"]))["tenant_id"]
    await cloud.write(lambda tx: quota.set_limits(tx, "compute", project, {"ram": -1}))
    server = await cloud.a_server(flavorRef=made.json()["flavor"]["id"])
    assert (server["status"], server["fault"]["code"]) == ("ERROR", 500)
    assert server["fault"]["message"].startswith("No valid host was found.")
    assert "MEMORY_MB" in server["fault"]["message"]


async def test_a_quota_of_ten_lets_exactly_ten_through_however_many_ask_at_once(cloud: TestedCloud) -> None:
    answers: list[int] = []

    async def one(number: int) -> None:
        answer = await cloud.ask_server(name=f"web{number}")
        answers.append(answer.status_code)
        if answer.status_code != 202:
            assert answer.status_code == 403
            assert message(answer).startswith("Quota exceeded for instances: Requested 1, but already used 10 of 10")

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(one, number)
    assert sorted(answers) == [202] * 10 + [403] * 90
    await cloud.settled()
    found = (await cloud.demo.get("/compute/v2.1/servers/detail")).json()["servers"]
    assert [s["status"] for s in found] == ["ACTIVE"] * 10
    assert (await cloud.demo.delete(f"/compute/v2.1/servers/{found[0]['id']}")).status_code == 204
    # What is being deleted counts until it is gone.
    assert (await cloud.ask_server()).status_code == 403
    await cloud.settled()
    assert (await cloud.ask_server()).status_code == 202
    await cloud.settled()


async def test_of_a_number_only_so_many_as_the_quota_allows_but_never_fewer_than_the_least(cloud: TestedCloud) -> None:
    assert (await cloud.ask_server(name="a", min_count=1, max_count=30)).status_code == 202
    await cloud.settled()
    found = (await cloud.demo.get("/compute/v2.1/servers")).json()["servers"]
    assert len(found) == 10
    other = await cloud.a_project("other")
    refused = await cloud.ask_server(other, min_count=11, max_count=30)
    assert (refused.status_code, list(refused.json())) == (403, ["forbidden"])
    assert (await other.get("/compute/v2.1/servers")).json()["servers"] == []


async def test_a_reader_may_look_and_not_ask(cloud: TestedCloud) -> None:
    reader = await a_reader(cloud)
    answer = await cloud.ask_server(reader)
    assert (answer.status_code, message(answer)) == (
        403,
        "Policy doesn't allow os_compute_api:servers:create to be performed.",
    )
    assert (await reader.get("/compute/v2.1/servers")).status_code == 200


async def a_reader(cloud: TestedCloud) -> httpx.AsyncClient:
    """A client of somebody who may only look at the project demo."""
    user = {"name": "rob", "password": "secret"}
    user_id = (await cloud.admin.post("/identity/v3/users", json={"user": user})).json()["user"]["id"]
    [project] = (await cloud.admin.get("/identity/v3/projects", params={"name": "demo"})).json()["projects"]
    [role] = (await cloud.admin.get("/identity/v3/roles", params={"name": "reader"})).json()["roles"]
    await cloud.admin.put(f"/identity/v3/projects/{project['id']}/users/{user_id}/roles/{role['id']}")
    return await cloud.as_("rob", project="demo")


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test"


async def test_a_name_that_is_refused_is_told_in_words(cloud: TestedCloud) -> None:
    answer = await cloud.ask_server(name=" x")
    assert "printable characters without white space at its ends" in message(answer)
    answer = await cloud.ask_server(networks=[{"uuid": "q"}])
    assert "printable" not in message(answer)


@pytest.mark.parametrize(
    ("version", "fields", "words"),
    [
        ("2.36", {"networks": "auto"}, "Invalid input for field/attribute networks"),
        ("2.41", {"networks": [{"uuid": NOBODY, "tag": "t"}]}, "Additional properties are not allowed"),
        ("2.96", {"tags": ["a,b"]}, "Invalid input for field/attribute tags"),
        ("2.93", {"hostname": "web.example.org"}, "Invalid input for field/attribute hostname"),
        ("2.96", {"hostname": "web", "max_count": 2}, "Unable to allocate a single hostname to multiple instances"),
        (
            "2.96",
            {"networks": [{"port": NOBODY}], "max_count": 2, "imageRef": NOBODY},
            "Failed to launch instances: Unable to launch multiple instances with a single configured port ID. Please",
        ),
        (
            "2.96",
            {"networks": [{"uuid": NOBODY, "fixed_ip": "10.10.0.9"}], "max_count": 2, "hostname": "web"},
            "Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified.",
        ),
        (
            "2.96",
            {"availability_zone": "mars", "imageRef": NOBODY},
            "The requested availability zone is not available",
        ),
        ("2.96", {"availability_zone": "nova:a:b:c"}, "Unable to parse availability_zone"),
        ("2.96", {"host": "nobody"}, "Compute host nobody could not be found."),
        ("2.96", {"hypervisor_hostname": "nobody"}, "Compute host nobody could not be found."),
        ("2.96", {"host": "host-1", "availability_zone": "nova:host-1"}, "are mutually exclusive"),
    ],
)
async def test_odd_wishes_of_administrators_are_refused(
    cloud: TestedCloud, version: str, fields: dict[str, Any], words: str
) -> None:
    headers = {"OpenStack-API-Version": f"compute {version}"}
    answer = await cloud.ask_server(cloud.admin, headers=headers, **fields)
    assert answer.status_code == 400, answer.text
    assert words in message(answer)


async def test_hints_that_nova_knows_have_a_form(cloud: TestedCloud) -> None:
    body = {"server": {"name": "s", "flavorRef": "1", "imageRef": await cloud.image_id(), "networks": "none"}}
    for hints, status in (
        ({"same_host": ["x"]}, 400),
        ({"different_host": "x"}, 400),
        ({"build_near_host_ip": "x"}, 400),
        ({"cidr": "24"}, 400),
        ({"query": 1}, 400),
        ({"group": None}, 400),
        ({"anything": 1, "query": '[">=", "$free_ram_mb", 1]'}, 202),
    ):
        answer = await cloud.demo.post("/compute/v2.1/servers", json={**body, "os:scheduler_hints": hints})
        assert answer.status_code == status, (hints, answer.text)


async def test_what_is_said_twice_counts_once(cloud: TestedCloud) -> None:
    twice = {"tags": ["a", "b", "a"], "security_groups": [{"name": "default"}] * 2}
    server = await cloud.a_server(**twice)
    assert (server["tags"], server["security_groups"]) == (["a", "b"], [{"name": "default"}])


async def test_truths_may_be_words_and_nothing_is_no_value(cloud: TestedCloud) -> None:
    for said, status in (("yes", 202), ("Off", 202), ("maybe", 400), (None, 400), (2, 400)):
        body = {"name": "s", "flavorRef": "1", "imageRef": await cloud.image_id(), "networks": "none"}
        answer = await cloud.demo.post("/compute/v2.1/servers", json={"server": {**body, "config_drive": said}})
        assert answer.status_code == status, (said, answer.text)
    for name in ("max_count", "user_data", "host", "hypervisor_hostname", "hostname", "key_name", "availability_zone"):
        answer = await cloud.admin.post("/compute/v2.1/servers", json={"server": {**body, name: None}})
        assert answer.status_code == 400, name
    disk = {"boot_index": 0, "uuid": body["imageRef"], "source_type": "image", "destination_type": "local"}
    for name in ("volume_size", "device_name", "guest_format", "disk_bus", "device_type", "tag"):
        wrong = {**body, "block_device_mapping_v2": [{**disk, name: None}]}
        answer = await cloud.demo.post("/compute/v2.1/servers", json={"server": wrong})
        assert answer.status_code == 400, name
    spoken = await cloud.ask_server(cloud.demo, return_reservation_id="On")
    assert list(spoken.json()) == ["reservation_id"]
