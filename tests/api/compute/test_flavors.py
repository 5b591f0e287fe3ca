"""Flavors over HTTP, as each microversion shows them."""

from typing import Any

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
OLD = {
    "id": "42",
    "name": "m1.nano",
    "ram": 128,
    "disk": 1,
    "swap": "",
    "vcpus": 1,
    "OS-FLV-EXT-DATA:ephemeral": 0,
    "OS-FLV-DISABLED:disabled": False,
    "os-flavor-access:is_public": True,
    "rxtx_factor": 1.0,
    "links": [
        {"rel": "self", "href": "http://cloud.test/compute/v2.1/flavors/42"},
        {"rel": "bookmark", "href": "http://cloud.test/compute/flavors/42"},
    ],
}


@pytest.mark.parametrize(
    ("version", "more", "less"),
    [
        ("2.1", {}, ()),
        ("2.54", {}, ()),
        ("2.55", {"description": None}, ()),
        ("2.61", {"description": None, "extra_specs": {}}, ()),
        ("2.75", {"description": None, "extra_specs": {}, "swap": 0}, ()),
        (
            "2.102",
            {"description": None, "extra_specs": {}, "swap": 0},
            ("OS-FLV-DISABLED:disabled", "rxtx_factor"),
        ),
    ],
)
async def test_a_flavor_at_each_version(version: str, more: dict[str, Any], less: tuple[str, ...]) -> None:
    expected = {name: value for name, value in {**OLD, **more}.items() if name not in less}
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), version)
        assert (await ann.get("/flavors/42")).json() == {"flavor": expected}
        detail = (await ann.get("/flavors/detail")).json()["flavors"]
        assert next(flavor for flavor in detail if flavor["id"] == "42") == expected
        brief = (await ann.get("/flavors")).json()["flavors"]
        names = {"id", "name", "links"} | ({"description"} if "description" in more else set())
        assert [set(flavor) for flavor in brief] == [names] * 6


async def test_extra_specs_are_for_those_who_may_see_them() -> None:
    async with a_compute_service() as door:
        nobody = at(door.as_("guest", project=None, role="reader", mount=V), "2.61")
        assert "extra_specs" not in (await nobody.get("/flavors/1")).json()["flavor"]


async def test_flavors_are_made_described_and_deleted() -> None:
    async with a_compute_service() as door:
        root, ann = at(door.as_("root", role="admin", mount=V), "2.61"), door.as_(mount=V)
        body = {
            "name": "big",
            "ram": "1024",
            "vcpus": 2,
            "disk": 10,
            "id": 7,
            "OS-FLV-EXT-DATA:ephemeral": 3,
            "swap": 5,
            "rxtx_factor": "2.0",
            "os-flavor-access:is_public": "False",
            "description": "for tests",
        }
        assert (await ann.post("/flavors", json={"flavor": {**body}})).status_code == 403
        made = await root.post("/flavors", json={"flavor": body})
        assert made.status_code == 200, made.text
        found = made.json()["flavor"]
        assert (found["id"], found["ram"], found["swap"], found["rxtx_factor"]) == ("7", 1024, 5, 2.0)
        assert (found["os-flavor-access:is_public"], found["description"]) == (False, "for tests")
        assert (await ann.get("/flavors/7")).status_code == 404
        changed = await root.put("/flavors/7", json={"flavor": {"description": None}})
        assert changed.json()["flavor"]["description"] is None
        assert (await root.put("/flavors/9", json={"flavor": {"description": None}})).status_code == 404
        assert (await at(door.as_("root", role="admin", mount=V), "2.54").put("/flavors/7", json={})).status_code == 404
        same_name = await root.post("/flavors", json={"flavor": {**body, "id": "8"}})
        assert same_name.status_code == 409
        assert same_name.json()["conflictingRequest"]["message"] == "Flavor with name big already exists."
        same_id = await root.post("/flavors", json={"flavor": {**body, "name": "x"}})
        assert same_id.json()["conflictingRequest"]["message"] == "Flavor with ID 7 already exists."
        plain = await root.post("/flavors", json={"flavor": {"name": "p", "ram": 1, "vcpus": 1, "disk": 0}})
        assert len(plain.json()["flavor"]["id"]) == 36
        assert (await root.delete("/flavors/7")).status_code == 202
        gone = await root.delete("/flavors/7")
        assert (gone.status_code, gone.json()["itemNotFound"]["message"]) == (404, "Flavor 7 could not be found.")


@pytest.mark.parametrize(
    "change",
    [
        {"ram": 0},
        {"ram": 1 << 31},
        {"vcpus": 0},
        {"disk": -1},
        {"swap": -1},
        {"ram": "lots"},
        {"name": ""},
        {"name": " x"},
        {"name": "x" * 256},
        {"id": " x"},
        {"id": ""},
        {"id": "a/b"},
        {"rxtx_factor": 0},
        {"os-flavor-access:is_public": "perhaps"},
        {"surprise": 1},
        {"description": "not before 2.55"},
    ],
)
async def test_a_bad_flavor_is_refused(change: dict[str, Any]) -> None:
    async with a_compute_service() as door:
        root = door.as_("root", role="admin", mount=V)
        body = {"name": "p", "ram": 1, "vcpus": 1, "disk": 0, **change}
        answer = await root.post("/flavors", json={"flavor": body})
        assert answer.status_code == 400, answer.text


async def test_listings_are_filtered_sorted_and_paged() -> None:
    async with a_compute_service() as door:
        ann, root = door.as_(mount=V), door.as_("root", role="admin", mount=V)
        private = {"name": "p", "ram": 1, "vcpus": 1, "disk": 0, "os-flavor-access:is_public": False, "id": "p"}
        await root.post("/flavors", json={"flavor": private})

        async def ids(query: str = "", http: Any = ann) -> list[str]:
            answer = await http.get(f"/flavors{query}")
            assert answer.status_code == 200, answer.text
            return [flavor["id"] for flavor in answer.json()["flavors"]]

        assert await ids() == ["1", "2", "3", "4", "42", "5"]
        assert await ids("?minRam=4096") == ["3", "4", "5"]
        assert await ids("?minDisk=80&minRam=1") == ["4", "5"]
        assert await ids("?sort_key=memory_mb&sort_dir=desc") == ["5", "4", "3", "2", "1", "42"]
        assert await ids("?is_public=false") == ["1", "2", "3", "4", "42", "5"]
        assert await ids("?is_public=false", root) == ["p"]
        assert "p" in await ids("?is_public=None", root)
        assert await ids("?name=nano") == ["1", "2", "3", "4", "42", "5"]
        first = (await ann.get("/flavors?limit=4")).json()
        assert [flavor["id"] for flavor in first["flavors"]] == ["1", "2", "3", "4"]
        following = first["flavors_links"][0]
        assert following == {"rel": "next", "href": "http://cloud.test/compute/v2.1/flavors?limit=4&marker=4"}
        second = (await ann.get(following["href"])).json()
        assert [flavor["id"] for flavor in second["flavors"]] == ["42", "5"]
        assert "flavors_links" not in second
        for query in (
            "marker=none",
            "marker=p",
            "minRam=x",
            "minDisk=y",
            "limit=-1",
            "limit=x",
            "sort_key=colour",
            "sort_dir=up",
        ):
            assert (await ann.get(f"/flavors?{query}")).status_code == 400, query
        assert (await root.get("/flavors?is_public=perhaps")).status_code == 400
        new = at(ann, "2.102")
        assert await ids("?name=m1.[ns]") == ["2", "42"]
        for query in ("name=(a%2B)%2B", "name=[", "sort_key=rxtx_factor", "surprise=1"):
            assert (await new.get(f"/flavors?{query}")).status_code == 400, query
        assert (await new.get("/flavors/1?surprise=1")).status_code == 400
