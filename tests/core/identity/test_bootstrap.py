"""The first start, and every start after it."""

import sqlite3

import pytest

from minicloud.core import records
from minicloud.core.identity import assignments, catalog, users
from minicloud.core.identity.assignments import SYSTEM, domain_scope, project_scope
from minicloud.core.identity.bootstrap import BootEndpoint, Bootstrap, Bootstrapped, bootstrap
from minicloud.core.identity.catalog import Endpoint, Service
from minicloud.core.identity.roles import Role
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio
WANTED = Bootstrap(admin_password_hash="hash of admin", demo_password_hash="hash of demo")


async def _dump(database: InlineDatabase) -> list[str]:
    connection: sqlite3.Connection = database._connection
    return list(connection.iterdump())


async def test_a_second_start_changes_nothing() -> None:
    database = InlineDatabase()
    first = await database.write(lambda tx: bootstrap(tx, WANTED))
    before = await _dump(database)
    assert await database.write(lambda tx: bootstrap(tx, WANTED)) == first
    assert await _dump(database) == before


async def test_what_owners_changed_stays_and_what_is_new_comes() -> None:
    database = InlineDatabase()
    ids = await database.write(lambda tx: bootstrap(tx, WANTED))

    def change(tx: Transaction) -> None:
        users.update(tx, ids.users["admin"], {"password_hash": "their own"}, {})
        nova = records.select(tx, Service, "type = 'compute'")[0]
        for endpoint in records.select(tx, Endpoint, "service_id = ?", [nova.id]):
            records.change(tx, endpoint, url="http://elsewhere.test/")

    await database.write(change)
    wanted = Bootstrap(
        admin_password_hash="new",
        demo_password_hash="new",
        endpoints=(*WANTED.endpoints, BootEndpoint("dns", "designate", "http://dns.test/")),
    )
    await database.write(lambda tx: bootstrap(tx, wanted))
    assert (await database.read(lambda tx: users.get(tx, ids.users["admin"]))).password_hash == "their own"
    shown = await database.read(lambda tx: catalog.render(tx, public_url="http://here", project_id="p1", user_id="u1"))
    urls = {service.type: {endpoint.url for endpoint in service.endpoints} for service in shown}
    assert urls["compute"] == {"http://elsewhere.test/"}
    assert urls["dns"] == {"http://dns.test/"}
    assert urls["volumev3"] == urls["block-storage"] == {"http://here/volume/v3/p1"}
    assert urls["identity"] == {"http://here/identity"}


async def test_who_holds_what_from_the_start() -> None:
    database = InlineDatabase()
    ids = await database.write(lambda tx: bootstrap(tx, WANTED))

    def held(tx: Transaction, ids: Bootstrapped) -> dict[str, list[str]]:
        def names(found: list[Role]) -> list[str]:
            return [role.name for role in found]

        admin, demo = ids.users["admin"], ids.users["demo"]
        place = {name: project_scope(project) for name, project in ids.projects.items()}
        return {
            "admin on admin": names(assignments.effective_roles(tx, admin, place["admin"])),
            "admin on demo": names(assignments.effective_roles(tx, admin, place["demo"])),
            "admin on system": names(assignments.effective_roles(tx, admin, SYSTEM)),
            "admin on domain": names(assignments.effective_roles(tx, admin, domain_scope("default"))),
            "demo on demo": names(assignments.effective_roles(tx, demo, place["demo"])),
            "demo on admin": names(assignments.effective_roles(tx, demo, place["admin"])),
            "demo on system": names(assignments.effective_roles(tx, demo, SYSTEM)),
        }

    everything = ["admin", "manager", "member", "reader"]
    assert await database.read(lambda tx: held(tx, ids)) == {
        "admin on admin": everything,
        "admin on demo": everything,
        "admin on system": everything,
        "admin on domain": [],
        "demo on demo": ["member", "reader"],
        "demo on admin": [],
        "demo on system": [],
    }
