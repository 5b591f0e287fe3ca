"""JSON Home: what it names is there."""

import re

import pytest

from minicloud.api import identity
from minicloud.api.identity.passwords import Passwords
from minicloud.api.routes import Tree
from tests.support.identity import an_identity

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("path", "prefix"), [("/", "/v3"), ("/v3", "")])
async def test_everything_it_names_is_there(path: str, prefix: str) -> None:
    routes = Tree(route for route in identity.service(Passwords("cheap")).routes if not route.root)
    async with an_identity() as cloud:
        answer = await cloud.http.get(path, headers={"Accept": "application/json-home"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json-home"
        resources = answer.json()["resources"]
        users = resources["https://docs.openstack.org/api/openstack-identity/3/rel/users"]
        assert users == {"href": f"{prefix}/users"}
        for relation, where in resources.items():
            template = where.get("href") or where["href-template"]
            found = re.sub(r"{\w+}", "x", template.removeprefix(prefix))
            assert routes.find(found) is not None, relation
            assert set(where.get("href-vars", {})) == set(re.findall(r"{(\w+)}", template))


async def test_versions_are_told_to_everybody_else() -> None:
    async with an_identity() as cloud:
        assert (await cloud.http.get("/v3", headers={"Accept": "application/json"})).json()["version"]["id"] == "v3.14"
        assert (await cloud.http.get("/")).status_code == 300
