"""What a list of the network service shows: what exists for whoever asks, as far as the policy of one thing allows to see it."""

from contextlib import AsyncExitStack

import httpx
import pytest

from tests.support.clouds import PASSWORD, URL, TestedCloud, a_cloud

pytestmark = pytest.mark.anyio

LISTS = (
    "networks", "subnets", "ports", "routers", "floatingips", "security-groups", "security-group-rules", "subnetpools",
    "address-groups", "trunks", "qos/policies",
)  # fmt: skip


async def listed(client: httpx.AsyncClient) -> dict[str, int]:
    """How many things each list shows."""
    found = {}
    for path in LISTS:
        answer = await client.get(f"/network/v2.0/{path}")
        assert answer.status_code == 200, answer.text
        [found[path]] = [len(things) for things in answer.json().values()]
    return found


async def a_client(stack: AsyncExitStack, cloud: TestedCloud, scope: object) -> httpx.AsyncClient:
    """The administrator with a token of another scope."""
    who = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
    auth = {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}
    answer = await cloud.http.post("/identity/v3/auth/tokens", json={"auth": auth})
    headers = {"X-Auth-Token": answer.headers["x-subject-token"]}
    transport = httpx.ASGITransport(app=cloud.cloud.api)
    return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=URL, headers=headers))


async def test_a_token_for_the_system_sees_nothing_of_projects() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        await cloud.a_server()
        public = (await cloud.demo.get("/network/v2.0/networks?router:external=true")).json()["networks"][0]["id"]
        floating = {"floatingip": {"floating_network_id": public}}
        assert (await cloud.demo.post("/network/v2.0/floatingips", json=floating)).status_code == 201
        every = await listed(cloud.admin)
        assert min(every[path] for path in LISTS[:7]) > 0, every
        system = await a_client(stack, cloud, {"system": {"all": True}})
        assert set((await listed(system)).values()) == {0}
        assert (await system.get(f"/network/v2.0/networks/{public}")).status_code == 404
        assert (await system.get("/compute/v2.1/servers")).status_code == 403
        assert (await system.get("/image/v2/images")).status_code == 403
        assert (await system.get("/identity/v3/users")).status_code == 200


async def test_a_list_follows_the_policy_file() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        server = await cloud.a_server()
        assert (await listed(cloud.demo))["ports"] > 0
        cloud.cloud.api.means.policy.reload({"get_port": "rule:admin_only"})
        assert (await listed(cloud.demo))["ports"] == 0
        assert (await cloud.admin.get(f"/network/v2.0/ports?device_id={server['id']}")).json()["ports"] != []
