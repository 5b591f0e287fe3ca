"""Configurations of domains."""

import pytest

from tests.support.identity import an_identity

pytestmark = pytest.mark.anyio

CONFIG = {"identity": {"driver": "ldap"}, "ldap": {"url": "http://x", "password": "hidden", "user_tree_dn": "dc=x"}}
SEEN = {"identity": {"driver": "ldap"}, "ldap": {"url": "http://x", "user_tree_dn": "dc=x"}}
PATH = "/domains/default/config"


async def test_a_configuration_is_kept_without_telling_its_secrets() -> None:
    async with an_identity() as cloud:
        admin, demo = await cloud.as_("admin"), await cloud.as_("demo")
        await admin.get(PATH, status=404)
        assert (await admin.put(PATH, {"config": CONFIG}, status=201))["config"] == SEEN
        assert (await admin.put(PATH, {"config": CONFIG}, status=200))["config"] == SEEN
        assert (await admin.get(PATH))["config"] == SEEN
        assert (await admin.get(f"{PATH}/ldap"))["config"] == {"ldap": SEEN["ldap"]}
        assert (await admin.get(f"{PATH}/ldap/url"))["config"] == {"url": "http://x"}
        await admin.get(f"{PATH}/ldap/password", status=404)
        await demo.get(PATH, status=403)
        await admin.get("/domains/nothing/config", status=404)


async def test_parts_are_changed_and_removed() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        await admin.put(PATH, {"config": CONFIG}, status=201)
        changed = await admin.patch(f"{PATH}/ldap/url", {"config": {"url": "http://y"}})
        assert changed["config"]["ldap"]["url"] == "http://y"
        await admin.patch(f"{PATH}/ldap", {"config": {"ldap": {"suffix": "z"}}})
        await admin.patch(f"{PATH}/ldap", {"config": {"identity": {"driver": "x"}}}, status=403)
        await admin.patch(f"{PATH}/identity/list_limit", {"config": {"list_limit": 1}}, status=404)
        merged = await admin.patch(PATH, {"config": {"identity": {"list_limit": 3}}})
        assert merged["config"]["identity"] == {"driver": "ldap", "list_limit": 3}
        await admin.delete(f"{PATH}/ldap/suffix")
        await admin.get(f"{PATH}/ldap/suffix", status=404)
        await admin.delete(f"{PATH}/ldap")
        await admin.get(f"{PATH}/ldap", status=404)
        await admin.delete(PATH)
        await admin.get(PATH, status=404)


@pytest.mark.parametrize("config", [{}, {"ldap": {}}, {"ldap": []}, {"no": {"x": 1}}, {"ldap": {"no": 1}}])
async def test_what_is_no_option_is_refused(config: object) -> None:
    async with an_identity() as cloud:
        await (await cloud.as_("admin")).put(PATH, {"config": config}, status=403)


async def test_the_defaults_are_told() -> None:
    async with an_identity() as cloud:
        admin = await cloud.as_("admin")
        assert set((await admin.get("/domains/config/default"))["config"]) == {"identity", "ldap"}
        assert (await admin.get("/domains/config/identity/default"))["config"]["identity"]["driver"] == "sql"
        assert (await admin.get("/domains/config/identity/driver/default"))["config"] == {"driver": "sql"}
        await admin.get("/domains/config/nothing/default", status=403)
