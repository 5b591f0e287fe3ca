"""Odd documents and query strings for compute's small resources: whatever is sent, the answer is never a defect."""

import random
from typing import Any

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 1 << 31, 1 << 70, 1.5, "", " ", "x", "é", "\x00", "x" * 70_000, "1", "-1", "ssh", "x509",
    "red", [], ["a"], [None], {}, {"a": 1}, [[[]]], "ssh-rsa AAAA x", "ssh-ed25519 é",
]  # fmt: skip
FIELDS = {
    "flavor": [
        "name", "ram", "vcpus", "disk", "id", "swap", "rxtx_factor", "description", "OS-FLV-EXT-DATA:ephemeral",
        "os-flavor-access:is_public", "odd",
    ],
    "keypair": ["name", "public_key", "type", "user_id", "odd"],
    "quota_set": ["cores", "ram", "force", "fixed_ips", "injected_files", "odd"],
    "quota_class_set": ["cores", "ram", "fixed_ips", "odd"],
    "extra_specs": ["hw:cpu_policy", "hw:numa_nodes", "a", "a/b", "", "resources:VCPU", "trait:", ":"],
    "addTenantAccess": ["tenant", "odd"],
}  # fmt: skip
WHERE = {
    "flavor": [("POST", "/flavors"), ("PUT", "/flavors/1")],
    "keypair": [("POST", "/os-keypairs")],
    "quota_set": [("PUT", "/os-quota-sets/red")],
    "quota_class_set": [("PUT", "/os-quota-class-sets/default")],
    "extra_specs": [("POST", "/flavors/1/os-extra_specs"), ("PUT", "/flavors/1/os-extra_specs/a")],
    "addTenantAccess": [("POST", "/flavors/1/action")],
}
PARAMETERS = [
    "limit", "marker", "minRam", "minDisk", "is_public", "sort_key", "sort_dir", "name", "user_id", "tenant_id", "odd",
]  # fmt: skip
PATHS = [
    "/flavors", "/flavors/detail", "/flavors/é", "/os-keypairs", "/os-keypairs/x", "/limits", "/os-quota-sets/red",
    "/os-quota-sets/red/detail", "/os-quota-class-sets/x", "/os-availability-zone/detail", "/extensions/x",
    "/flavors/1/os-extra_specs/x", "/flavors/1/os-flavor-access",
]  # fmt: skip
VERSIONS = ["2.1", "2.2", "2.10", "2.35", "2.57", "2.61", "2.75", "2.86", "2.92", "2.102", "2.104"]


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_odd_is_answered_with_500(seed: int) -> None:
    chance = random.Random(seed)
    async with a_compute_service() as door:
        root = door.as_("root", role="admin", mount="/compute/v2.1")
        for _ in range(250):
            at(root, chance.choice(VERSIONS))
            kind = chance.choice(list(FIELDS))
            body: Any = {name: chance.choice(VALUES) for name in FIELDS[kind] if chance.random() < 0.8}
            if kind == "keypair":
                # Making keys is slow, and what is odd about them is seen without.
                body.setdefault("public_key", "odd")
            body = {kind: body if chance.random() < 0.9 else chance.choice(VALUES)}
            method, path = chance.choice(WHERE[kind])
            some = {chance.choice(PARAMETERS): str(chance.choice(VALUES))[:100] for _ in range(2)}
            answers = [
                await root.request(method, path, json=body),
                await root.get(chance.choice(PATHS), params=some),
                await root.request(method, path, content=chance.choice([b"", b"{", b"\xff", b"[" * 5000, b"null"])),
            ]
            told = [(a.request.method, str(a.request.url), body) for a in answers if a.status_code >= 500]
            assert told == []
    assert door.notes.facts("defect") == []
