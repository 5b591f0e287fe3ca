"""RBAC policies: what is shared with one project exists for that one only, and stays shared while it is used."""

from typing import Any

import pytest

from tests.support.network import a_network_service, a_subnet, ann, bob, error, made, root

pytestmark = pytest.mark.anyio

BLUE = "b" * 32
RED = "red"


async def _share(http: Any, object_type: str, object_id: str, target: str, action: str = "access_as_shared") -> Any:
    return await http.post(
        "/rbac-policies",
        json={
            "rbac_policy": {
                "object_type": object_type,
                "object_id": object_id,
                "action": action,
                "target_tenant": target,
            }
        },
    )


async def test_a_network_is_shared_with_one_project_until_nobody_needs_it() -> None:
    async with a_network_service() as door:
        blue_client = door.as_("bob", project=BLUE, mount="/network/v2.0")
        async with ann(door) as red, blue_client as blue, bob(door) as stranger:
            network = await made(red, "network", name="n")
            await a_subnet(red, network["id"])
            path = f"/networks/{network['id']}"
            assert (await blue.get(path)).status_code == 404
            shared = await _share(red, "network", network["id"], BLUE)
            assert shared.status_code == 201, shared.text
            policy = shared.json()["rbac_policy"]
            assert policy == {
                "id": policy["id"],
                "tenant_id": RED,
                "project_id": RED,
                "object_type": "network",
                "object_id": network["id"],
                "target_tenant": BLUE,
                "action": "access_as_shared",
            }
            assert (await blue.get(path)).json()["network"]["shared"] is True
            assert (await red.get(path)).json()["network"]["shared"] is False
            assert [one["id"] for one in (await blue.get("/networks?shared=True")).json()["networks"]] == [
                network["id"]
            ]
            assert len((await blue.get("/subnets")).json()["subnets"]) == 1
            assert (await stranger.get(path)).status_code == 404
            again = await _share(red, "network", network["id"], BLUE)
            assert error(again) == (
                409,
                "DuplicateRbacPolicy",
                "An RBAC policy already exists with those values.",
            )
            port = await made(blue, "port", network_id=network["id"])
            refused = await red.delete(f"/rbac-policies/{policy['id']}")
            assert error(refused)[:2] == (409, "RbacPolicyInUse")
            await blue.delete(f"/ports/{port['id']}")
            assert (await red.delete(f"/rbac-policies/{policy['id']}")).status_code == 204
            assert (await blue.get(path)).status_code == 404


async def test_sharing_with_everybody_is_the_mark_shared() -> None:
    async with a_network_service() as door, ann(door) as red, bob(door) as blue, root(door) as admin:
        network = await made(red, "network", name="n")
        forbidden = await _share(red, "network", network["id"], "*")
        assert error(forbidden)[:2] == (403, "PolicyNotAuthorized")
        policy = (await _share(admin, "network", network["id"], "*")).json()["rbac_policy"]
        assert (await blue.get(f"/networks/{network['id']}")).json()["network"]["shared"] is True
        found = (await admin.get("/rbac-policies?object_type=network")).json()["rbac_policies"]
        assert [one["id"] for one in found] == [policy["id"]]
        unshared = await admin.put(f"/networks/{network['id']}", json={"network": {"shared": False}})
        assert unshared.json()["network"]["shared"] is False
        assert (await admin.get("/rbac-policies")).json()["rbac_policies"] == []


async def test_an_external_network_for_one_project() -> None:
    async with a_network_service() as door:
        blue_client = door.as_("bob", project=BLUE, mount="/network/v2.0")
        async with root(door) as admin, blue_client as blue, ann(door) as red:
            network = await made(admin, "network", name="out")
            await a_subnet(admin, network["id"], "203.0.113.0/24", enable_dhcp=False)
            shared = await _share(admin, "network", network["id"], BLUE, "access_as_external")
            assert shared.status_code == 201, shared.text
            path = f"/networks/{network['id']}"
            assert (await admin.get(path)).json()["network"]["router:external"] is True
            assert (await blue.get(path)).json()["network"]["router:external"] is True
            assert (await red.get(path)).status_code == 404
            router = await made(blue, "router", name="r", external_gateway_info={"network_id": network["id"]})
            assert router["external_gateway_info"]["network_id"] == network["id"]
            refused = await admin.delete(f"/rbac-policies/{shared.json()['rbac_policy']['id']}")
            assert error(refused)[:2] == (409, "RbacPolicyInUse")


@pytest.mark.parametrize(
    ("kind", "collection", "object_type", "values"),
    [
        ("security_group", "security-groups", "security_group", {"name": "g"}),
        ("address_scope", "address-scopes", "address_scope", {"name": "s", "ip_version": 4}),
        ("subnetpool", "subnetpools", "subnetpool", {"name": "p", "prefixes": ["10.0.0.0/8"]}),
        ("address_group", "address-groups", "address_group", {"name": "a"}),
        ("policy", "qos/policies", "qos_policy", {"name": "q"}),
    ],
)
async def test_other_things_are_shared_alike(kind: str, collection: str, object_type: str, values: Any) -> None:
    async with a_network_service() as door:
        manager = door.as_("ann", project="red", role="manager", mount="/network/v2.0")
        blue_client = door.as_("bob", project=BLUE, mount="/network/v2.0")
        async with manager as red, blue_client as blue, root(door) as admin:
            answer = await red.post(f"/{collection}", json={kind: values})
            assert answer.status_code == 201, answer.text
            one = answer.json()[kind]
            assert one["shared"] is False
            path = f"/{collection}/{one['id']}"
            assert (await blue.get(path)).status_code == 404
            assert (await _share(admin, object_type, one["id"], BLUE)).status_code == 201
            assert (await blue.get(path)).json()[kind]["shared"] is True
            assert (await blue.put(path, json={kind: {"name": "mine"}})).status_code in (403, 404)
            # What others share cannot be given on.
            assert (await _share(blue, object_type, one["id"], RED.ljust(32, "0"))).status_code == 400


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"object_type": "router"}, "Invalid input for operation: 'router' is not a valid RBAC object type."),
        (
            {"target_tenant": "everybody"},
            "Invalid input for operation: 'everybody' is not a valid target project ID; expected a UUID or '*'.",
        ),
        ({"target_tenant": None}, "is not a valid target project ID"),
        ({"object_id": "x"}, "Invalid input for object_id. Reason: 'x' is not a valid UUID."),
        ({"action": "access_as_friend"}, "access_as_friend"),
    ],
)
async def test_what_makes_no_sense_is_refused(values: dict[str, Any], told: str) -> None:
    async with a_network_service() as door, ann(door) as red:
        network = await made(red, "network")
        given = {
            "object_type": "network",
            "object_id": network["id"],
            "action": "access_as_shared",
            "target_tenant": BLUE,
        }
        answer = await red.post("/rbac-policies", json={"rbac_policy": given | values})
        assert answer.status_code == 400
        assert told in error(answer)[2]
