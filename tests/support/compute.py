"""Compute's small resources behind a door, with projects to name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from minicloud.api import compute
from minicloud.core.compute import flavors
from minicloud.core.identity import projects
from minicloud.core.identity.bootstrap import Bootstrap, bootstrap
from minicloud.core.identity.projects import Project
from minicloud.engines.database import Transaction
from tests.support.doors import Door, a_door

PROJECTS = ("red", "blue")


@asynccontextmanager
async def a_compute_service() -> AsyncIterator[Door]:
    """Compute without hosts, with the flavors of a new cloud and the projects red and blue."""
    async with AsyncExitStack() as stack:
        door = await a_door(stack, [compute.service()])
        await door.database.write(_first)
        yield door


def _first(tx: Transaction) -> None:
    bootstrap(tx, Bootstrap(admin_password_hash="x", demo_password_hash="x"))
    flavors.bootstrap(tx)
    for name in PROJECTS:
        projects.create(tx, Project(id=name, name=name, domain_id="default", parent_id="default"))


def at(http: httpx.AsyncClient, version: str) -> httpx.AsyncClient:
    """The client, asking in this microversion from now on."""
    http.headers["OpenStack-API-Version"] = f"compute {version}"
    return http
