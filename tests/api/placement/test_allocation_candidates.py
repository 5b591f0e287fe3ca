"""/allocation_candidates: the document of each version, groups, and queries that make no sense."""

import msgspec
import pytest

from minicloud.core.placement import allocations
from minicloud.core.placement.inventories import Stocked
from minicloud.engines.database import Transaction
from tests.support.doors import Door
from tests.support.placement import a_provider
from tests.support.placement_api import a_placement, at

pytestmark = pytest.mark.anyio

NODE = "4e8e5957-649f-477b-9e5b-f1f75b21c03c"
NIC = "5e8e5957-649f-477b-9e5b-f1f75b21c03c"


async def a_node_with_a_nic(door: Door) -> None:
    def make(tx: Transaction) -> None:
        stocked = {"VCPU": Stocked(total=4, allocation_ratio=2.0), "MEMORY_MB": Stocked(total=1024)}
        a_provider(tx, "node", stocked, provider_id=NODE, having=["HW_CPU_X86_VMX"])
        a_provider(tx, "nic", {"SRIOV_NET_VF": Stocked(total=8)}, provider_id=NIC, parent_id=NODE)
        allocations.claim(tx, "c", "p", "u", {NODE: {"VCPU": 3}})

    await door.database.write(make)


async def test_the_newest_document() -> None:
    async with a_placement() as door, at(door) as http:
        await a_node_with_a_nic(door)
        found = await http.get("/allocation_candidates?resources=VCPU:1&resources_NET=SRIOV_NET_VF:2")
        assert found.headers["content-type"] == "application/json"
        assert found.json() == {
            "allocation_requests": [
                {
                    "allocations": {
                        NODE: {"resources": {"VCPU": 1}},
                        NIC: {"resources": {"SRIOV_NET_VF": 2}},
                    },
                    "mappings": {"": [NODE], "_NET": [NIC]},
                }
            ],
            "provider_summaries": {
                NODE: {
                    "resources": {"MEMORY_MB": {"capacity": 1024, "used": 0}, "VCPU": {"capacity": 8, "used": 3}},
                    "traits": ["HW_CPU_X86_VMX"],
                    "parent_provider_uuid": None,
                    "root_provider_uuid": NODE,
                },
                NIC: {
                    "resources": {"SRIOV_NET_VF": {"capacity": 8, "used": 0}},
                    "traits": [],
                    "parent_provider_uuid": NODE,
                    "root_provider_uuid": NODE,
                },
            },
        }


async def test_older_documents() -> None:
    async with a_placement() as door, at(door, "1.10") as oldest, at(door, "1.28") as flat:
        await a_node_with_a_nic(door)
        found = await oldest.get("/allocation_candidates?resources=VCPU:1")
        assert found.json() == {
            "allocation_requests": [{"allocations": [{"resource_provider": {"uuid": NODE}, "resources": {"VCPU": 1}}]}],
            "provider_summaries": {NODE: {"resources": {"VCPU": {"capacity": 8, "used": 3}}}},
        }
        split = await flat.get("/allocation_candidates?resources=VCPU:1,SRIOV_NET_VF:1")
        assert split.json() == {"allocation_requests": [], "provider_summaries": {}}, "trees are not for old versions"


async def test_conditions_decide() -> None:
    async with a_placement() as door, at(door) as http:
        await a_node_with_a_nic(door)
        for query, number in (
            ("resources=VCPU:5", 1),
            ("resources=VCPU:6", 0),
            ("resources=VCPU:1&required=HW_CPU_X86_VMX", 1),
            ("resources=VCPU:1&required=!HW_CPU_X86_VMX", 0),
            ("resources=VCPU:1&root_required=!HW_CPU_X86_VMX", 0),
            (f"resources=VCPU:1&in_tree={NIC}", 1),
            (f"resources=VCPU:1&in_tree={NIC[::-1]}", 0),
            ("resources1=VCPU:1&resources2=SRIOV_NET_VF:1&group_policy=isolate&same_subtree=1,2", 1),
            ("resources=VCPU:1&member_of=!in:4e8e5957-649f-477b-9e5b-f1f75b21c03d", 1),
            ("resources=VCPU:1&member_of=4e8e5957-649f-477b-9e5b-f1f75b21c03d", 0),
        ):
            found = await http.get(f"/allocation_candidates?{query}")
            assert found.status_code == 200, found.text
            assert len(found.json()["allocation_requests"]) == number, query


@pytest.mark.parametrize(
    ("query", "told", "code"),
    [
        ("", "There must be at least one resources", "placement.query.missing_value"),
        ("resources=VCPU:0", "requires amount >= 1. Got: 0.", "placement.undefined_code"),
        ("resources=NONSENSE:1", "No such resource class NONSENSE.", "placement.undefined_code"),
        ("resources=VCPU:1&required=NONSENSE", "No such trait(s): NONSENSE.", "placement.undefined_code"),
        ("resources1=VCPU:1&resources2=VCPU:1", '"group_policy" parameter is required', "placement.undefined_code"),
        ("resources=VCPU:1&same_subtree=9", "9", "placement.query.bad_value"),
        ("resources=VCPU:1&limit=0", "'0' does not match", "placement.undefined_code"),
        ("resources@=VCPU:1", "does not match any of the regexes", "placement.undefined_code"),
        ("resources=VCPU:1&group_policy=all", "'all' is not one of ['none', 'isolate']", "placement.undefined_code"),
        ("resources=VCPU:1&required=HW_CPU_X86_VMX,!HW_CPU_X86_VMX", "Conflicting", "placement.undefined_code"),
        ("resources=VCPU:1&required1=HW_CPU_X86_VMX", "bad group(s) - ['1']", "placement.query.bad_value"),
    ],
)
async def test_queries_that_make_no_sense(query: str, told: str, code: str) -> None:
    async with a_placement() as door, at(door) as http:
        answer = await http.get(f"/allocation_candidates?{query}")
        assert answer.status_code == 400
        error = answer.json()["errors"][0]
        assert told in error["detail"]
        assert error["code"] == code


async def test_some_by_chance_are_others_than_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_placement() as door, at(door) as http:

        def make(tx: Transaction) -> None:
            for number in range(40):
                a_provider(tx, f"node{number}", {"VCPU": Stocked(total=4)})

        await door.database.write(make)
        path = "/allocation_candidates?resources=VCPU:1&limit=3"
        first = (await http.get(path)).json()
        assert (await http.get(path)).json() == first
        world = door.api.means.executor.world
        options = msgspec.structs.replace(world.options, randomize_allocation_candidates=True)
        monkeypatch.setattr(door.api.means.executor, "world", msgspec.structs.replace(world, options=options))
        answers = [(await http.get(path)).json() for _ in range(5)]
        assert all(len(answer["allocation_requests"]) == len(answer["provider_summaries"]) == 3 for answer in answers)
        assert len({frozenset(answer["provider_summaries"]) for answer in answers}) > 1
        whole = (await http.get("/allocation_candidates?resources=VCPU:1")).json()
        assert len(whole["allocation_requests"]) == 40
