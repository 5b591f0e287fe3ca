"""/resource_providers: who has something to give, at several versions, and what is refused in which words."""

import pytest

from tests.support.placement_api import a_placement, at

pytestmark = pytest.mark.anyio

ID = "4e8e5957-649f-477b-9e5b-f1f75b21c03c"
CHILD = "5e8e5957-649f-477b-9e5b-f1f75b21c03c"


async def test_a_provider_is_made_shown_renamed_and_deleted() -> None:
    async with a_placement() as door, at(door, "1.13") as old, at(door) as new:
        made = await old.post("/resource_providers", json={"name": "node", "uuid": ID})
        assert (made.status_code, made.content) == (201, b"")
        assert made.headers["location"] == f"http://cloud.test/placement/resource_providers/{ID}"
        shown = await new.get(f"/resource_providers/{ID}")
        here = f"/placement/resource_providers/{ID}"
        assert shown.json() == {
            "uuid": ID,
            "name": "node",
            "generation": 0,
            "parent_provider_uuid": None,
            "root_provider_uuid": ID,
            "links": [
                {"rel": "self", "href": here},
                {"rel": "inventories", "href": f"{here}/inventories"},
                {"rel": "usages", "href": f"{here}/usages"},
                {"rel": "aggregates", "href": f"{here}/aggregates"},
                {"rel": "traits", "href": f"{here}/traits"},
                {"rel": "allocations", "href": f"{here}/allocations"},
            ],
        }
        assert shown.headers["cache-control"] == "no-cache"
        assert shown.headers["last-modified"].endswith(" GMT")
        assert shown.headers["openstack-api-version"] == "placement 1.39"
        before = await old.get(f"/resource_providers/{ID}")
        assert "parent_provider_uuid" not in before.json()
        assert "last-modified" not in before.headers
        child = await new.post("/resource_providers", json={"name": "pf", "uuid": CHILD, "parent_provider_uuid": ID})
        assert (child.status_code, child.json()["root_provider_uuid"]) == (200, ID)
        renamed = await new.put(f"/resource_providers/{ID}", json={"name": "other"})
        assert (renamed.status_code, renamed.json()["name"], renamed.json()["generation"]) == (200, "other", 0)
        refused = await new.delete(f"/resource_providers/{ID}")
        assert refused.status_code == 409
        assert refused.json()["errors"][0]["code"] == "placement.resource_provider.cannot_delete_parent"
        for provider in (CHILD, ID):
            assert (await new.delete(f"/resource_providers/{provider}")).status_code == 204
        assert (await new.get("/resource_providers")).json() == {"resource_providers": []}


async def test_errors_are_in_placements_dialect() -> None:
    async with a_placement() as door, at(door) as new, at(door, "1.22") as old:
        missing = await new.get(f"/resource_providers/{ID}")
        assert missing.json()["errors"][0] == {
            "status": 404,
            "title": "Not Found",
            "request_id": missing.headers["x-openstack-request-id"],
            "detail": f"The resource could not be found.\n\n No resource provider with uuid {ID} found  ",
            "code": "placement.undefined_code",
        }
        assert "code" not in (await old.get(f"/resource_providers/{ID}")).json()["errors"][0]
        await new.post("/resource_providers", json={"name": "node", "uuid": ID})
        twice = await new.post("/resource_providers", json={"name": "node"})
        assert (twice.status_code, twice.json()["errors"][0]["code"]) == (409, "placement.duplicate_name")


@pytest.mark.parametrize(
    ("document", "headers", "status", "told"),
    [
        (b"{", {"Content-Type": "application/json"}, 400, "Malformed JSON"),
        (b"{}", {"Content-Type": "application/json"}, 400, "'name' is a required property"),
        (b'{"name": 1}', {"Content-Type": "application/json"}, 400, "1 is not of type 'string'"),
        (b'{"name": "a", "x": 1}', {"Content-Type": "application/json"}, 400, "('x' was unexpected)"),
        (b'{"name": "a", "uuid": "b"}', {"Content-Type": "application/json"}, 400, "'b' is not a 'uuid'"),
        (
            b"{}",
            {"Content-Type": "text/plain"},
            415,
            "The media type text/plain is not supported, use application/json",
        ),
        (b"{}", {"Content-Type": ""}, 400, "content-type header required when content-length > 0"),
        (b"", {"Content-Type": ""}, 415, "The media type None is not supported"),
        (b'{"name": "%s"}' % (b"x" * 201), {"Content-Type": "application/json"}, 400, "Failed validating 'maxLength'"),
    ],
)
async def test_bad_documents_are_refused_in_the_validators_words(
    document: bytes, headers: dict[str, str], status: int, told: str
) -> None:
    async with a_placement() as door, at(door, **headers) as http:
        answer = await http.post("/resource_providers", content=document)
        assert answer.status_code == status
        assert told in answer.json()["errors"][0]["detail"]


async def test_versions_and_methods() -> None:
    async with a_placement() as door:
        async with door.stranger("/placement") as http:
            home = await http.get("/")
            assert home.json()["versions"][0]["max_version"] == "1.39"
            assert (await http.get("/resource_providers")).status_code == 401
        async with at(door, "1.40") as http:
            answer = await http.get("/resource_providers")
            assert answer.status_code == 406
            error = answer.json()["errors"][0]
            assert (error["detail"], error["min_version"], error["max_version"]) == (
                "Unacceptable version header: 1.40",
                "1.0",
                "1.39",
            )
        async with at(door, "pony.horse") as http:
            assert (await http.get("/resource_providers")).status_code == 400
        async with at(door, "1.0") as http:
            assert (await http.get("/traits")).status_code == 404
            wrong = await http.patch("/resource_providers")
            assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, POST")
            assert "The method PATCH is not allowed for this resource." in wrong.json()["errors"][0]["detail"]
        async with at(door, Accept="text/plain") as http:
            assert (await http.get("/resource_providers")).status_code == 406
        async with at(door, role="member") as http:
            assert (await http.get("/resource_providers")).status_code == 403


async def test_providers_are_found_by_what_they_are_and_have() -> None:
    async with a_placement() as door, at(door) as http, at(door, "1.17") as old:
        await http.post("/resource_providers", json={"name": "node", "uuid": ID})
        await http.post("/resource_providers", json={"name": "pf", "uuid": CHILD, "parent_provider_uuid": ID})
        await http.put(
            f"/resource_providers/{CHILD}/inventories",
            json={"resource_provider_generation": 0, "inventories": {"SRIOV_NET_VF": {"total": 4}}},
        )
        await http.put(
            f"/resource_providers/{ID}/traits",
            json={"resource_provider_generation": 0, "traits": ["HW_CPU_X86_VMX"]},
        )

        async def names(query: str) -> list[str]:
            found = await http.get(f"/resource_providers?{query}")
            assert found.status_code == 200, found.text
            return [provider["name"] for provider in found.json()["resource_providers"]]

        assert await names("") == ["node", "pf"]
        assert await names(f"in_tree={CHILD}") == ["node", "pf"]
        assert await names("resources=SRIOV_NET_VF:4") == ["pf"]
        assert await names("resources=SRIOV_NET_VF:5") == []
        assert await names("required=HW_CPU_X86_VMX") == ["node"]
        assert await names("required=!HW_CPU_X86_VMX") == ["pf"]
        assert await names("required=in:HW_CPU_X86_VMX,HW_CPU_X86_AVX") == ["node"]
        assert await names("name=pf") == ["pf"]
        assert await names(f"uuid={ID}") == ["node"]
        for query, told in (
            ("spam=eggs", "Additional properties are not allowed ('spam' was unexpected)"),
            ("resources=NONSENSE:1", "Invalid resource class in resources parameter: No such resource class NONSENSE."),
            ("resources=VCPU", "Badly formed resources parameter"),
            ("required=NONSENSE", "No such trait(s): NONSENSE."),
            ("member_of=one", "Expected 'member_of' parameter to contain valid UUID(s)"),
        ):
            refused = await http.get(f"/resource_providers?{query}")
            assert refused.status_code == 400, query
            assert told in refused.json()["errors"][0]["detail"]
        assert (await old.get("/resource_providers?required=HW_CPU_X86_VMX")).status_code == 400
