"""Documents and queries nobody in their right mind would send: refused in words, never with 500."""

import random
from typing import Any

import pytest

from minicloud.api import identity
from minicloud.api.identity.passwords import Passwords
from minicloud.api.routes import Route
from tests.support.identity import IdentityCloud, an_identity

pytestmark = pytest.mark.anyio

REQUESTS = 3_000
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**70, 1.5, "", " ", "x", "default", "a" * 300, "\x00", "ü/\u2028", "true", "[]"),
    *([], {}, [[]], {"id": 1}, {"id": "default"}, {"name": "x"}, {"all": True}, ["x", None], {"immutable": "x"}),
)
KEYS = (
    *("name", "id", "domain_id", "parent_id", "enabled", "description", "password", "original_password", "options"),
    *("tags", "type", "url", "interface", "service_id", "region_id", "region", "parent_region_id", "is_domain"),
    *("default_project_id", "email", "explicit_domain_id", "links", "a:b"),
)
WRAPS = ("user", "project", "domain", "role", "group", "service", "endpoint", "region", "tags", "auth", "nothing")


def _auth(dice: random.Random) -> Any:
    user = {key: dice.choice(ODD) for key in dice.sample(("id", "name", "password", "domain"), dice.randint(0, 4))}
    method = {key: dice.choice((user, user, dice.choice(ODD))) for key in ("user", "id")}
    identity_ = {
        key: dice.choice((method, method, ["password"], ["token", "password"], ["token"], dice.choice(ODD)))
        for key in dice.sample(("methods", "password", "token", "totp"), dice.randint(0, 4))
    }
    scope = {
        key: dice.choice(ODD) for key in dice.sample(("project", "domain", "system", "unscoped"), dice.randint(0, 2))
    }
    return {"identity": identity_, "scope": dice.choice((scope, scope, dice.choice(ODD)))}


def _document(dice: random.Random) -> Any:
    if dice.random() < 0.1:
        return dice.choice(ODD)
    wrap = dice.choice(WRAPS)
    if wrap == "auth":
        return {"auth": _auth(dice)}
    inner = {key: dice.choice(ODD) for key in dice.sample(KEYS, dice.randint(0, 6))}
    return {wrap: dice.choice((inner, inner, inner, dice.choice(ODD)))}


def _path(route: Route, dice: random.Random, ids: list[str]) -> str:
    parts = [
        dice.choice((*ids, "none", "%00", "ü", "a b")) if part.startswith("{") else part
        for part in route.path.split("/")
    ]
    query = "&".join(
        f"{dice.choice(('name', 'limit', 'marker', 'enabled', 'domain_id', 'sort_key', 'effective', 'user.id', 'tags'))}"
        f"={dice.choice(('', 'x', '-1', '0', '99999999999999999999', '%00', 'true', 'default'))}"
        for _ in range(dice.randint(0, 2))
    )
    return f"/v3{'/'.join(parts)}{'?' + query if query else ''}"


def _ids(cloud: IdentityCloud) -> list[str]:
    return ["default", "RegionOne", *cloud.ids.users.values(), *cloud.ids.projects.values(), *cloud.ids.roles.values()]


async def _fuzz(seed: int, requests: int) -> None:
    dice = random.Random(seed)
    routes = [route for route in identity.service(Passwords("cheap")).routes if not route.root]
    async with an_identity() as cloud:
        statuses: set[int] = set()
        for number in range(requests):
            if number % 500 == 0:
                token = (await cloud.sign_in("admin", project="admin")).headers.get("x-subject-token", "none")
            route = dice.choice(routes)
            path, body = _path(route, dice, _ids(cloud)), _document(dice)
            if route.method == "DELETE" and dice.random() < 0.9:
                continue
            answer = await cloud.http.request(
                route.method, path, json=body, headers={"X-Auth-Token": token, "X-Subject-Token": token}
            )
            statuses.add(answer.status_code)
            assert answer.status_code < 500, f"{route.method} {path} {body}: {answer.text}"
            if answer.status_code >= 400 and route.method != "HEAD":
                assert set(answer.json()["error"]) == {"code", "message", "title"}
        assert {200, 201, 400, 404} <= statuses
        assert not cloud.notes.facts("defect")


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_odd_is_answered_with_500(seed: int) -> None:
    await _fuzz(seed, REQUESTS)
