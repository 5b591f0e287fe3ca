"""Nobody sees or changes another project's anything, and who may only read changes nothing: every route, asked about real things."""

import re
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from minicloud.api.routes import Route
from minicloud.api.service import Service
from tests.support.clouds import PASSWORD, TestedCloud, a_cloud

pytestmark = pytest.mark.anyio

MARK = "zebra"
"""Stands in all names and texts of the project's things, so that it can be seen wherever it leaks."""

FOR_ALL = {
    ("compute", "GET", "/os-quota-sets/{}/defaults"),
}
"""What upstream tells everybody of any project."""

ONLY_READ = {"os-show_image_metadata"}
"""Actions that change nothing, so that a reader may ask for them."""


class Things:
    """What a project has, by the path with which routes name it (parameters as ``{}``)."""

    def __init__(self, cloud: TestedCloud, owner: httpx.AsyncClient) -> None:
        self.cloud = cloud
        self.owner = owner
        self.ids: dict[str, str] = {}

    async def make(self, path: str, **fields: Any) -> dict[str, Any]:
        """Make a thing through the API, and remember it."""
        wrap = path.rpartition("/")[2].replace("-", "_").removeprefix("os_")
        wrap = re.sub(r"s$", "", re.sub(r"ies$", "y", wrap))
        body = fields if path.startswith("/image/") else {wrap: fields}
        answer = await self.owner.post(path, json=body)
        assert answer.status_code in (200, 201, 202), f"{path}: {answer.text}"
        made: dict[str, Any] = answer.json() if path.startswith("/image/") else answer.json()[wrap]
        self.ids[f"{path}/{{}}"] = made.get("id") or made["name"]
        return made

    async def fill(self) -> None:
        """Things of each kind that a member may make."""
        network = await self.make("/network/v2.0/networks", name=f"{MARK}-net")
        subnet = await self.make(
            "/network/v2.0/subnets", network_id=network["id"], cidr="10.9.0.0/24", ip_version=4, name=f"{MARK}-subnet"
        )
        port = await self.make("/network/v2.0/ports", network_id=network["id"], name=f"{MARK}-port")
        router = await self.make("/network/v2.0/routers", name=f"{MARK}-router")
        await self.owner.put(
            f"/network/v2.0/routers/{router['id']}/add_router_interface", json={"subnet_id": subnet["id"]}
        )
        group = await self.make("/network/v2.0/security-groups", name=f"{MARK}-group")
        await self.make(
            "/network/v2.0/security-group-rules",
            security_group_id=group["id"],
            direction="ingress",
            description=f"{MARK}-rule",
        )
        await self.make("/network/v2.0/subnetpools", name=f"{MARK}-pool", prefixes=["10.8.0.0/16"])
        await self.make("/network/v2.0/address-scopes", name=f"{MARK}-scope", ip_version=4)
        await self.make("/network/v2.0/address-groups", name=f"{MARK}-addresses", addresses=["10.7.0.0/24"])
        outside = (await self.owner.get("/network/v2.0/networks?router:external=true")).json()["networks"]
        await self.make(
            "/network/v2.0/floatingips", floating_network_id=outside[0]["id"], description=f"{MARK}-floating"
        )
        await self.make("/image/v2/images", name=f"{MARK}-image", disk_format="raw", container_format="bare")
        volume = await self.make("/volume/v3/volumes", name=f"{MARK}-volume", size=1, metadata={f"{MARK}-key": MARK})
        await self.cloud.settled()
        await self.make("/volume/v3/snapshots", name=f"{MARK}-snapshot", volume_id=volume["id"])
        await self.cloud.settled()
        self.ids["/volume/v3/volumes/{}/metadata/{}"] = f"{MARK}-key"
        await self.make("/compute/v2.1/os-server-groups", name=f"{MARK}-servers", policy="affinity")
        server = await self.cloud.a_server(
            self.owner, name=f"{MARK}-server", metadata={f"{MARK}-key": MARK}, networks=[{"port": port["id"]}]
        )
        self.ids["/compute/v2.1/servers/{}"] = server["id"]
        self.ids["/compute/v2.1/servers/{}/os-interface/{}"] = port["id"]
        self.ids["/compute/v2.1/servers/{}/metadata/{}"] = f"{MARK}-key"
        self.ids["/compute/v2.1/servers/{}/ips/{}"] = f"{MARK}-net"
        actions = await self.owner.get(f"/compute/v2.1/servers/{server['id']}/os-instance-actions")
        self.ids["/compute/v2.1/servers/{}/os-instance-actions/{}"] = actions.json()["instanceActions"][0]["request_id"]
        for ours, theirs in (
            ("/compute/v2.1/images/{}", "/image/v2/images/{}"),
            ("/compute/v2.1/os-networks/{}", "/network/v2.0/networks/{}"),
            ("/compute/v2.1/os-tenant-networks/{}", "/network/v2.0/networks/{}"),
            ("/compute/v2.1/os-security-groups/{}", "/network/v2.0/security-groups/{}"),
            ("/compute/v2.1/os-security-group-rules/{}", "/network/v2.0/security-group-rules/{}"),
            ("/compute/v2.1/os-floating-ips/{}", "/network/v2.0/floatingips/{}"),
            ("/placement/allocations/{}", "/compute/v2.1/servers/{}"),
        ):
            self.ids[ours] = self.ids[theirs]

    async def identity(self, project_id: str, user_id: str) -> None:
        """Who they are, and what a user has in identity."""
        self.ids["/identity/v3/users/{}"] = user_id
        self.ids["/identity/v3/projects/{}"] = project_id
        for path in ("/compute/v2.1/os-quota-sets/{}", "/compute/v2.1/os-simple-tenant-usage/{}"):
            self.ids[path] = project_id
        self.ids["/network/v2.0/quotas/{}"] = project_id
        base = f"/identity/v3/users/{user_id}"
        made = await self.owner.post(
            f"{base}/application_credentials", json={"application_credential": {"name": f"{MARK}-app"}}
        )
        self.ids["/identity/v3/users/{}/application_credentials/{}"] = made.json()["application_credential"]["id"]
        made = await self.owner.post(f"{base}/credentials/OS-EC2", json={"tenant_id": project_id})
        self.ids["/identity/v3/users/{}/credentials/OS-EC2/{}"] = made.json()["credential"]["access"]
        made = await self.owner.post(
            "/identity/v3/credentials",
            json={"credential": {"type": "cert", "blob": MARK, "user_id": user_id, "project_id": project_id}},
        )
        self.ids["/identity/v3/credentials/{}"] = made.json()["credential"]["id"]

    async def seen(self) -> dict[str, Any]:
        """Each thing as its owner reads it, without what reading or time change."""
        found = {}
        for pattern, id in self.ids.items():
            if pattern.count("{}") == 1 and "/quotas/" not in pattern and "usage" not in pattern:
                answer = await self.owner.get(pattern.replace("{}", id))
                found[pattern] = (answer.status_code, answer.text if answer.is_success else "")
        return found

    def path(self, service: Service, route: Route) -> tuple[str, str] | None:
        """The path of a route with the project's ids in it, and its pattern; None where nothing in it is the project's."""
        pattern = full = service.mounts[0] + ("" if route.root else service.prefix)
        known = False
        for part in route.path.strip("/").split("/"):
            pattern += "/{}" if part.startswith("{") else f"/{part}"
            if part.startswith("{"):
                known |= pattern in self.ids
                part = self.ids.get(pattern, "00000000-0000-4000-8000-000000000000")
            full += f"/{part}"
        return (full, pattern) if known else None


async def _ask(http: httpx.AsyncClient, service: Service, route: Route, path: str) -> list[httpx.Response]:
    """The answers to a request as somebody would send who wanted to do harm."""
    headers = {}
    if service.negotiation is not None:
        newest = route.until or service.negotiation.newest
        headers["OpenStack-API-Version"] = f"{service.negotiation.word} {newest}"
    if route.method in ("GET", "HEAD", "DELETE"):
        return [await http.request(route.method, path, headers=headers)]
    if route.action:
        return [await http.post(path, json={route.action: body}, headers=headers) for body in (None, {})]
    if service.name == "image" and route.method == "PATCH":
        headers["Content-Type"] = "application/openstack-images-v2.1-json-patch"
        patch = b'[{"op": "replace", "path": "/name", "value": "stolen"}]'
        return [await http.patch(path, content=patch, headers=headers)]
    if route.path.endswith("/file"):
        octets = {"Content-Type": "application/octet-stream"}
        return [await http.request(route.method, path, content=b"stolen", headers=octets)]
    if "/metadata" in route.path:
        body = {"meta": {path.rpartition("/")[2]: "stolen"}, "metadata": {"stolen": "stolen"}}
        alone = {"metadata": body["metadata"]} if route.path.endswith("/metadata") else {"meta": body["meta"]}
        return [await http.request(route.method, path, json=alone, headers=headers)]
    nouns = [part for part in route.path.split("/") if part and not part.startswith("{")]
    wrap = re.sub(r"s$", "", nouns[-1].replace("-", "_").removeprefix("os_"))
    bodies: list[Any] = [{wrap: {"name": "stolen"}}, {}]
    return [await http.request(route.method, path, json=body, headers=headers) for body in bodies]


def _shows_nothing(answer: httpx.Response) -> bool:
    """Whether an answer is a list without anything in it."""
    document = answer.json() if answer.content else None
    return isinstance(document, dict) and bool(document) and all(value == [] for value in document.values())


async def _a_user(cloud: TestedCloud, name: str, project_id: str, role: str) -> str:
    made = await cloud.admin.post("/identity/v3/users", json={"user": {"name": name, "password": PASSWORD}})
    user_id: str = made.json()["user"]["id"]
    roles = (await cloud.admin.get("/identity/v3/roles", params={"name": role})).json()["roles"]
    await cloud.admin.put(f"/identity/v3/projects/{project_id}/users/{user_id}/roles/{roles[0]['id']}")
    return user_id


async def _project(cloud: TestedCloud, name: str) -> str:
    made = await cloud.admin.post("/identity/v3/projects", json={"project": {"name": name}})
    project_id: str = made.json()["project"]["id"]
    return project_id


async def test_a_stranger_sees_and_changes_nothing_and_a_reader_changes_nothing() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        theirs, another = await _project(cloud, f"{MARK}-project"), await _project(cloud, "another")
        owner_id = await _a_user(cloud, f"{MARK}-owner", theirs, "member")
        await _a_user(cloud, "reader", theirs, "reader")
        await _a_user(cloud, "stranger", another, "manager")
        owner = await cloud.as_(f"{MARK}-owner", project=f"{MARK}-project")
        things = Things(cloud, owner)
        await things.fill()
        await things.identity(theirs, owner_id)
        before = await things.seen()
        # What moved to other services is gone from compute's newest version, and allocations are for administrators.
        assert [path for path, (status, _) in before.items() if status not in (200, 403, 404)] == []
        assert sum(status == 200 for status, _ in before.values()) > 15
        stranger = await cloud.as_("stranger", project="another")
        reader = await cloud.as_("reader", project=f"{MARK}-project")
        wrong: list[str] = []
        asked = 0
        for service in cloud.cloud.api.services:
            for route in service.routes:
                line = f"{service.name} {route.method} {route.path} {route.action or ''}".rstrip()
                found = things.path(service, route)
                if found is None:
                    if route.method == "GET" and "{" not in route.path and not route.open:
                        base = service.mounts[0] + ("" if route.root else service.prefix)
                        listed = await stranger.get(f"{base}{route.path}")
                        if MARK in listed.text:
                            wrong.append(f"{line}: the list shows a stranger {listed.text[:200]}")
                    continue
                path, pattern = found
                local = pattern.removeprefix(service.mounts[0]).removeprefix(service.prefix)
                for answer in await _ask(stranger, service, route, path):
                    asked += 1
                    told = answer.is_success and not (route.method == "GET" and _shows_nothing(answer))
                    if told and (service.name, route.method, local) not in FOR_ALL:
                        wrong.append(f"{line}: a stranger gets {answer.status_code} {answer.text[:200]}")
                    if MARK in answer.text.replace(path, ""):
                        wrong.append(f"{line}: a stranger reads {answer.text[:200]}")
                if route.method not in ("GET", "HEAD") and route.action not in ONLY_READ:
                    for answer in await _ask(reader, service, route, path):
                        if answer.is_success:
                            wrong.append(f"{line}: a reader gets {answer.status_code} {answer.text[:200]}")
        await cloud.settled()
        assert not wrong, "\n".join(wrong)
        after = await things.seen()
        assert {key: value for key, value in after.items() if value != before[key]} == {}
        assert asked > 250
