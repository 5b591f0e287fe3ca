"""Keypairs over HTTP: imported, made, listed, deleted, at each microversion that changed them."""

import pytest

from tests.support.compute import a_compute_service, at

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFDNDzVLUM8UXgNYLoWuzVZ4oSyHMcO+ngc7zJOkzcLv ann@laptop"
PRINT = "d1:4b:1a:a8:2f:ef:35:35:39:58:01:fe:21:9a:bd:23"


@pytest.mark.parametrize(
    ("version", "made", "deleted", "typed"),
    [("2.1", 200, 202, False), ("2.2", 201, 204, True), ("2.92", 201, 204, True)],
)
async def test_a_key_is_imported_shown_and_deleted(version: str, made: int, deleted: int, typed: bool) -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), version)
        answer = await ann.post("/os-keypairs", json={"keypair": {"name": "mine", "public_key": KEY}})
        assert answer.status_code == made, answer.text
        kind = {"type": "ssh"} if typed else {}
        basic = {"name": "mine", "public_key": KEY, "fingerprint": PRINT, **kind}
        assert answer.json() == {"keypair": {**basic, "user_id": "ann"}}
        shown = (await ann.get("/os-keypairs/mine")).json()["keypair"]
        assert len(shown.pop("created_at")) == 26
        assert shown == {
            **basic,
            "user_id": "ann",
            "id": 1,
            "deleted": False,
            "deleted_at": None,
            "updated_at": None,
        }
        assert (await ann.get("/os-keypairs")).json() == {"keypairs": [{"keypair": basic}]}
        twice = await ann.post("/os-keypairs", json={"keypair": {"name": "mine", "public_key": KEY}})
        message = "Key pair 'mine' already exists."
        assert (twice.status_code, twice.json()["conflictingRequest"]["message"]) == (409, message)
        assert (await ann.delete("/os-keypairs/mine")).status_code == deleted
        gone = await ann.get("/os-keypairs/mine")
        message = "Keypair mine not found for user ann"
        assert (gone.status_code, gone.json()["itemNotFound"]["message"]) == (404, message)
        assert (await ann.delete("/os-keypairs/mine")).status_code == 404


async def test_pairs_are_made_here_until_2_92() -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), "2.2")
        made = (await ann.post("/os-keypairs", json={"keypair": {"name": "new"}})).json()["keypair"]
        assert made["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert made["public_key"].startswith("ssh-rsa ")
        assert "private_key" not in (await ann.get("/os-keypairs/new")).json()["keypair"]
        windows = (await ann.post("/os-keypairs", json={"keypair": {"name": "w", "type": "x509"}})).json()["keypair"]
        assert windows["public_key"].startswith("-----BEGIN CERTIFICATE-----")
        assert len(windows["fingerprint"].split(":")) == 20
        imported = {"name": "i", "type": "x509", "public_key": windows["public_key"]}
        again = (await ann.post("/os-keypairs", json={"keypair": imported})).json()["keypair"]
        assert again["fingerprint"] == windows["fingerprint"]
        refused = await at(ann, "2.92").post("/os-keypairs", json={"keypair": {"name": "newer"}})
        assert (refused.status_code, "public_key" in refused.text) == (400, True)


async def test_bad_keypairs_are_refused() -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), "2.10")
        for change in (
            {"name": ""},
            {"name": " a"},
            {"name": "a.b"},
            {"name": "x" * 256},
            {"name": None},
            {"public_key": "ssh-rsa nonsense"},
            {"public_key": "nonsense"},
            {"public_key": ""},
            {"public_key": "ssh-ed25519 \udcff".encode("utf-8", "replace").decode()},
            {"public_key": KEY, "type": "x509"},
            {"type": "pgp"},
            {"surprise": 1},
        ):
            body = {"keypair": {"name": "mine", "public_key": KEY, **change}}
            assert (await ann.post("/os-keypairs", json=body)).status_code == 400, change
        assert (await ann.post("/os-keypairs", json={})).status_code == 400
        dotted = {"keypair": {"name": "a.b@c", "public_key": KEY}}
        assert (await at(ann, "2.92").post("/os-keypairs", json=dotted)).status_code == 201


async def test_only_administrators_act_for_others() -> None:
    async with a_compute_service() as door:
        ann, root = at(door.as_(mount=V), "2.10"), at(door.as_("root", role="admin", mount=V), "2.10")
        body = {"keypair": {"name": "given", "public_key": KEY, "user_id": "bob"}}
        assert (await ann.post("/os-keypairs", json=body)).status_code == 403
        assert (await root.post("/os-keypairs", json=body)).json()["keypair"]["user_id"] == "bob"
        assert (await root.get("/os-keypairs")).json() == {"keypairs": []}
        assert len((await root.get("/os-keypairs?user_id=bob")).json()["keypairs"]) == 1
        assert (await ann.get("/os-keypairs?user_id=bob")).status_code == 403
        assert (await ann.get("/os-keypairs/given?user_id=bob")).status_code == 403
        assert (await at(ann, "2.9").get("/os-keypairs?user_id=bob")).json() == {"keypairs": []}
        assert (await root.delete("/os-keypairs/given?user_id=bob")).status_code == 204


async def test_pages_since_2_35_and_strict_queries_since_2_75() -> None:
    async with a_compute_service() as door:
        ann = at(door.as_(mount=V), "2.35")
        for name in ("a", "b", "c"):
            await ann.post("/os-keypairs", json={"keypair": {"name": name, "public_key": KEY}})
        first = (await ann.get("/os-keypairs?limit=2")).json()
        assert [found["keypair"]["name"] for found in first["keypairs"]] == ["a", "b"]
        second = (await ann.get(first["keypairs_links"][0]["href"])).json()
        assert [found["keypair"]["name"] for found in second["keypairs"]] == ["c"]
        assert "keypairs_links" not in second
        assert (await ann.get("/os-keypairs?marker=none")).status_code == 400
        assert (await ann.get("/os-keypairs?surprise=1")).status_code == 200
        assert (await at(ann, "2.34").get("/os-keypairs?limit=2")).json()["keypairs"][2]["keypair"]["name"] == "c"
        assert (await at(ann, "2.75").get("/os-keypairs?surprise=1")).status_code == 400


async def test_a_user_has_at_most_as_many_as_the_quota_allows() -> None:
    async with a_compute_service() as door:
        root, ann = door.as_("root", role="admin", mount=V), door.as_(mount=V)
        await root.put("/os-quota-sets/red", json={"quota_set": {"key_pairs": 1}})
        assert (await ann.post("/os-keypairs", json={"keypair": {"name": "a", "public_key": KEY}})).status_code == 200
        over = await ann.post("/os-keypairs", json={"keypair": {"name": "b", "public_key": KEY}})
        message = "Quota exceeded, too many key pairs."
        assert (over.status_code, over.json()["forbidden"]["message"]) == (403, message)
