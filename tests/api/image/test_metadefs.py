"""Metadata definitions: namespaces with objects, properties, tags and the resource types that they are meant for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from minicloud.api.image.metadef_schemas import SHOWN
from tests.support.doors import Door
from tests.support.image import an_image_service

pytestmark = pytest.mark.anyio
M = "/image"
ALL = "/v2/metadefs/namespaces"
VCPUS = {"title": "vCPUs", "type": "integer", "minimum": 1, "default": 4, "description": "How many."}


@asynccontextmanager
async def a_catalog() -> AsyncIterator[tuple[Door, httpx.AsyncClient, httpx.AsyncClient]]:
    """The service, an administrator, and a member of another project."""
    async with an_image_service() as door:
        yield door, door.as_("root", role="admin", mount=M), door.as_("bob", project="blue", mount=M)


async def a_namespace(http: httpx.AsyncClient, **values: Any) -> dict[str, Any]:
    made = await http.post(ALL, json={"namespace": "OS::Compute::Quota", "visibility": "public", **values})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


async def test_a_namespace_comes_with_all_that_is_in_it() -> None:
    async with a_catalog() as (_door, root, bob):
        await a_namespace(
            root,
            display_name="Quotas",
            properties={"cpu": VCPUS},
            objects=[{"name": "CPU", "required": ["cpu"], "properties": {"cpu": VCPUS}}],
            tags=[{"name": "limits"}],
            resource_type_associations=[{"name": "OS::Nova::Flavor", "prefix": "quota:"}],
        )
        shown = (await bob.get(f"{ALL}/OS::Compute::Quota")).json()
        assert shown["properties"] == {"cpu": {**VCPUS, "default": "4"}}
        assert shown["objects"][0]["properties"]["cpu"]["default"] == "4"
        assert shown["objects"][0]["schema"] == "/v2/schemas/metadefs/object"
        assert shown["tags"] == [{"name": "limits"}]
        assert shown["owner"] == "red"
        prefixed = (await bob.get(f"{ALL}/OS::Compute::Quota", params={"resource_type": "OS::Nova::Flavor"})).json()
        assert list(prefixed["properties"]) == ["quota:cpu"]
        assert prefixed["objects"][0]["required"] == ["quota:cpu"]
        listed = (await bob.get(ALL, params={"resource_types": "OS::Nova::Flavor,x"})).json()
        assert [one["namespace"] for one in listed["namespaces"]] == ["OS::Compute::Quota"]
        assert listed["namespaces"][0]["resource_type_associations"][0]["prefix"] == "quota:"
        assert (await bob.get(ALL, params={"resource_types": "x"})).json()["namespaces"] == []
        types = (await bob.get("/v2/metadefs/resource_types")).json()["resource_types"]
        assert [one["name"] for one in types] == ["OS::Nova::Flavor"]


async def test_a_private_namespace_does_not_exist_for_others_and_only_administrators_change_any() -> None:
    async with a_catalog() as (_door, root, bob):
        await a_namespace(root, visibility="private")
        for path in ("", "/objects", "/properties", "/tags", "/resource_types"):
            found = await bob.get(f"{ALL}/OS::Compute::Quota{path}")
            assert found.status_code == 404, path
        assert (await bob.get(ALL)).json()["namespaces"] == []
        put = await root.put(f"{ALL}/OS::Compute::Quota", json={"namespace": "Q", "visibility": "public"})
        assert (put.status_code, put.json()["namespace"]) == (200, "Q")
        assert "display_name" not in put.json()
        answers = [
            await bob.post(ALL, json={"namespace": "mine"}),
            await bob.put(f"{ALL}/Q", json={"namespace": "Q"}),
            await bob.delete(f"{ALL}/Q"),
            await bob.post(f"{ALL}/Q/objects", json={"name": "a"}),
            await bob.post(f"{ALL}/Q/properties", json={"name": "a", "title": "A", "type": "string"}),
            await bob.post(f"{ALL}/Q/tags", json={"tags": []}),
            await bob.post(f"{ALL}/Q/tags/a"),
            await bob.post(f"{ALL}/Q/resource_types", json={"name": "a"}),
        ]
        assert [answer.status_code for answer in answers] == [403] * 8


async def test_nothing_of_a_protected_namespace_is_deleted() -> None:
    async with a_catalog() as (door, root, _bob):
        await a_namespace(root, protected=True, tags=[{"name": "t"}], objects=[{"name": "o"}])
        await root.post(f"{ALL}/OS::Compute::Quota/resource_types", json={"name": "OS::Nova::Server"})
        for path in (
            "",
            "/tags",
            "/objects",
            "/properties",
            "/tags/t",
            "/objects/o",
            "/resource_types/OS::Nova::Server",
        ):
            assert (await root.delete(f"{ALL}/OS::Compute::Quota{path}")).status_code == 403, path
        await root.put(f"{ALL}/OS::Compute::Quota", json={"namespace": "OS::Compute::Quota"})
        assert (await root.delete(f"{ALL}/OS::Compute::Quota/resource_types/none")).status_code == 404
        assert (await root.delete(f"{ALL}/OS::Compute::Quota")).status_code == 204
        assert (await root.get(f"{ALL}/OS::Compute::Quota")).status_code == 404
        rows = await door.database.read(lambda tx: tx.all("SELECT id FROM metadef_items"))
        assert rows == []


async def test_objects_properties_and_tags_are_made_renamed_and_removed() -> None:
    async with a_catalog() as (_door, root, bob):
        await a_namespace(root)
        base = f"{ALL}/OS::Compute::Quota"
        bodies: dict[str, dict[str, Any]] = {
            "objects": {"name": "a", "description": "d"},
            "properties": {"name": "a", "title": "A", "type": "string", "enum": ["x"], "readonly": True},
        }
        for kind, body in bodies.items():
            assert (await root.post(f"{base}/{kind}", json=body)).status_code == 201
            again = await root.post(f"{base}/{kind}", json=body)
            assert (again.status_code, "already exists" in again.json()["message"]) == (409, True)
            shown = (await bob.get(f"{base}/{kind}/a")).json()
            assert body.items() <= shown.items()
            assert (await root.put(f"{base}/{kind}/a", json={**body, "name": "b"})).json()["name"] == "b"
            assert (await root.get(f"{base}/{kind}/a")).status_code == 404
            assert (await root.delete(f"{base}/{kind}/b")).status_code == 204
            assert (await root.delete(f"{base}/{kind}/b")).status_code == 404
        assert (await root.post(f"{base}/tags", json={"tags": [{"name": "x"}, {"name": "y"}]})).status_code == 201
        assert (await root.post(f"{base}/tags", json={"tags": [{"name": "z"}]})).status_code == 201
        more = {"X-Openstack-Append": "true"}
        assert (await root.post(f"{base}/tags", json={"tags": [{"name": "w"}]}, headers=more)).status_code == 201
        tags = (await bob.get(f"{base}/tags", params={"sort_key": "name", "sort_dir": "asc"})).json()["tags"]
        assert tags == [{"name": "w"}, {"name": "z"}]
        page = (await bob.get(f"{base}/tags", params={"sort_key": "name", "sort_dir": "asc", "marker": "w"})).json()
        assert page["tags"] == [{"name": "z"}]
        twice = await root.post(f"{base}/tags", json={"tags": [{"name": "q"}, {"name": "q"}]})
        assert twice.status_code == 409
        assert len((await bob.get(f"{base}/tags")).json()["tags"]) == 2
        assert (await root.put(f"{base}/tags/w", json={"name": "v"})).json()["name"] == "v"


async def test_a_property_is_found_under_the_prefix_of_a_resource_type() -> None:
    async with a_catalog() as (_door, root, bob):
        await a_namespace(root, properties={"cpu": VCPUS})
        base = f"{ALL}/OS::Compute::Quota"
        flavor = {"name": "OS::Nova::Flavor", "prefix": "quota:"}
        assert (await root.post(f"{base}/resource_types", json=flavor)).status_code == 201
        assert (await root.post(f"{base}/resource_types", json=flavor)).status_code == 409
        asked = {"resource_type": "OS::Nova::Flavor"}
        assert (await bob.get(f"{base}/properties/quota:cpu", params=asked)).json()["name"] == "cpu"
        assert (await bob.get(f"{base}/properties/cpu", params=asked)).status_code == 404
        assert (await bob.get(f"{base}/properties/quota:cpu", params={"resource_type": "x"})).status_code == 404


async def test_pages_of_namespaces() -> None:
    async with a_catalog() as (_door, root, bob):
        for name in "abc":
            await a_namespace(root, namespace=name)
        asked = {"limit": "2", "sort_key": "namespace", "sort_dir": "asc"}
        page = (await bob.get(ALL, params=asked)).json()
        assert [one["namespace"] for one in page["namespaces"]] == ["a", "b"]
        rest = (await bob.get(page["next"])).json()
        assert [one["namespace"] for one in rest["namespaces"]] == ["c"]
        for bad in ({"limit": "x"}, {"limit": "-1"}, {"sort_dir": "up"}, {"sort_key": "x"}, {"visibility": "x"}):
            assert (await bob.get(ALL, params=bad)).status_code == 400
        assert (await bob.get(ALL, params={"marker": "none"})).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"namespace": "x" * 81}, 400),
        ({"namespace": "n", "visibility": "shared"}, 400),
        ({"namespace": "n", "colour": "red"}, 400),
        ({"namespace": "n", "self": "x"}, 403),
        ({"namespace": "n", "properties": {"p": {"title": "P"}}}, 400),
        ({"namespace": "n", "properties": {"p": {"title": "P", "type": "string", "shape": 1}}}, 400),
        ({"namespace": "n", "properties": {"p": {"title": "P", "type": "string", "pattern": "("}}}, 400),
        ({"namespace": "n", "objects": [{}]}, 400),
        ({"namespace": "n", "objects": [{"name": "o", "required": ["a", "a"]}]}, 400),
        ({"namespace": "n", "tags": [{"name": 3}]}, 400),
        ([], 400),
    ],
)
async def test_a_document_that_is_not_what_the_schema_says_is_refused(body: Any, status: int) -> None:
    async with a_catalog() as (_door, root, _bob):
        assert (await root.post(ALL, json=body)).status_code == status
        assert (await root.get(ALL)).json()["namespaces"] == []


async def test_every_schema_is_shown() -> None:
    async with a_catalog() as (_door, _root, bob):
        for name in SHOWN:
            found = await bob.get(f"/v2/schemas/metadefs/{name}")
            assert (found.status_code, "properties" in found.json()) == (200, True)
        assert (await bob.get("/v2/schemas/metadefs/colour")).status_code == 404
