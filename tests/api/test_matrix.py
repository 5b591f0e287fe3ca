"""Every route, asked by everybody: who has no token is told so, whom the rule refuses gets 403, and nobody gets 500."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from minicloud.api.routes import Route
from minicloud.api.service import Service
from tests.support.clouds import PASSWORD, TestedCloud, a_cloud

pytestmark = pytest.mark.anyio

ROLES = ("reader", "member", "manager", "admin")
NOT_THERE = "00000000-0000-4000-8000-000000000000"


class Everybody:
    """Tokens of all kinds of people, by what they are."""

    def __init__(self, cloud: TestedCloud) -> None:
        self.cloud = cloud
        self.secrets: dict[str, str] = {}

    async def fill(self) -> None:
        """Make a user for each role in one project, one with none, a member of another project, those of a domain and the system."""
        admin = self.cloud.admin
        roles = {one["name"]: one["id"] for one in (await admin.get("/identity/v3/roles")).json()["roles"]}
        project = await self._made("projects", "project", name="theirs")
        other = await self._made("projects", "project", name="another")
        for who, role, place in (
            *((role, role, f"projects/{project}") for role in ROLES),
            ("member of another project", "member", f"projects/{other}"),
            ("service of another project", "service", f"projects/{other}"),
            ("domain manager", "manager", "domains/default"),
            ("domain admin", "admin", "domains/default"),
            ("system reader", "reader", "system"),
            ("system admin", "admin", "system"),
            ("user without scope", "reader", "unscoped"),
        ):
            user = await self._made("users", "user", name=f"the {who}", password=PASSWORD)
            kind, _, id = place.partition("/")
            if kind != "unscoped":
                granted = await admin.put(f"/identity/v3/{place}/users/{user}/roles/{roles[role]}")
                assert granted.status_code == 204, granted.text
            scopes = {"system": {"system": {"all": True}}, "unscoped": "unscoped"}
            self.secrets[who] = await self._token(user, scopes.get(kind, {kind.removesuffix("s"): {"id": id}}))

    async def _made(self, path: str, wrap: str, **fields: str) -> str:
        made: str = (await self.cloud.admin.post(f"/identity/v3/{path}", json={wrap: fields})).json()[wrap]["id"]
        return made

    async def _token(self, user: str, scope: Any) -> str:
        identity = {"methods": ["password"], "password": {"user": {"id": user, "password": PASSWORD}}}
        answer = await self.cloud.http.post(
            "/identity/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}}
        )
        assert answer.status_code == 201, answer.text
        secret: str = answer.headers["x-subject-token"]
        return secret


def _request(service: Service, route: Route) -> tuple[str, dict[str, str], Any]:
    path = "/".join(NOT_THERE if part.startswith("{") else part for part in route.path.split("/"))
    headers = {}
    if service.negotiation is not None:
        at = route.until or service.negotiation.newest
        headers["OpenStack-API-Version"] = f"{service.negotiation.word} {at}"
    body = {route.action: {}} if route.action else {}
    return f"{service.mounts[0]}{'' if route.root else service.prefix}{path}", headers, body


async def _ask(http: httpx.AsyncClient, service: Service, route: Route, secret: str | None) -> httpx.Response:
    path, headers, body = _request(service, route)
    if secret is not None:
        headers |= {"X-Auth-Token": secret, "X-Subject-Token": secret}
    if route.method in ("GET", "HEAD"):
        return await http.request(route.method, path, headers=headers)
    return await http.request(route.method, path, json=body, headers=headers)


async def test_every_route_answers_everybody_as_its_rule_says() -> None:
    async with AsyncExitStack() as stack:
        cloud = await a_cloud(stack)
        everybody = Everybody(cloud)
        await everybody.fill()
        policy, authenticator = cloud.cloud.api.means.policy, cloud.cloud.api.authenticator
        # Nobody may void the tokens that the walk goes on with.
        walked = [
            (service, route)
            for service in cloud.cloud.api.services
            for route in service.routes
            if (route.method, route.path) != ("DELETE", "/auth/tokens")
        ]
        wrong: list[str] = []
        refused = allowed = 0
        for service, route in walked:
            line = f"{service.name} {route.method} {route.path} {route.action or ''}".rstrip()
            answer = await _ask(cloud.http, service, route, None)
            if not route.open and answer.status_code != 401:
                wrong.append(f"{line}: without a token {answer.status_code}")
            if answer.status_code >= 500 and answer.status_code != 501:
                wrong.append(f"{line}: without a token {answer.status_code}")
            for who, secret in everybody.secrets.items():
                answer = await _ask(cloud.http, service, route, secret)
                if answer.status_code >= 500 and answer.status_code not in (501, 503):
                    wrong.append(f"{line}: {who} {answer.status_code}")
                if route.policy is None or route.open or route.late:
                    continue
                if policy.allows(route.policy, await authenticator.context(secret)):
                    allowed += 1
                    continue
                refused += 1
                if answer.status_code != 403:
                    wrong.append(f"{line}: {who} {answer.status_code}, and {route.policy} refuses")
        assert not wrong, "\n".join(wrong[:40])
        assert len(walked) > 400
        assert min(refused, allowed) > 300, (refused, allowed)
        assert not cloud.notes.facts("defect")
