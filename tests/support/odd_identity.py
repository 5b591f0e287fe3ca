"""Requests to identity that nobody in their right mind would send, half sensible so that they get far: none is answered with 500.

``python -m tests.support.odd_identity 20000 [seed]`` sends so many; the tests send a sample.
"""

import random
import sys
from collections import Counter
from typing import Any

import trio

from minicloud.api import identity
from minicloud.api.identity import absent
from minicloud.api.identity.passwords import Passwords
from minicloud.api.routes import Route
from tests.support.identity import ADMIN_PASSWORD, IdentityCloud, an_identity

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2**70, 1.5, "", " ", "x", "default", "a" * 300, "\x00", "ü/\u2028", "true", "[]"),
    *([], {}, [[]], {"id": 1}, {"id": "default"}, {"name": "x"}, {"all": True}, ["x", None], {"immutable": "x"}),
    *("2030-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "*", "/**", "%(user_id)s", [{}], [{"id": "x", "name": "y"}]),
)
"""Values that stand where they do not belong."""

SENSIBLE: dict[str, tuple[Any, ...]] = {
    "name": ("one", "two", "three"),
    "domain_id": ("default", None),
    "enabled": (True, False, "true"),
    "description": ("words", None),
    "password": ("secret", None),
    "original_password": (ADMIN_PASSWORD,),
    "options": ({}, {"immutable": True}, {"lock_password": True}, {"multi_factor_auth_rules": [["password"]]}),
    "tags": ([], ["a", "b"]),
    "type": ("ec2", "totp", "cert", "compute"),
    "url": ("http://x", "http://x/$(project_id)s", "$(public_url)s/x"),
    "interface": ("public", "internal"),
    "region_id": ("RegionOne", None),
    "is_domain": (True, False),
    "blob": ('{"access": "a", "secret": "b"}', "JBSWY3DPEHPK3PXP", "x"),
    "expires_at": ("2030-01-01T00:00:00Z", "2030-01-01", None),
    "unrestricted": (True, False),
    "secret": ("s", None),
    "roles": ([], [{"name": "member"}], [{"name": "reader"}, {"id": "x"}]),
    "access_rules": ([], [{"service": "compute", "method": "GET", "path": "/v2.1/**"}], [{"id": "x"}]),
    "impersonation": (True, False),
    "allow_redelegation": (True, False),
    "redelegation_count": (0, 1, 3, 9),
    "remaining_uses": (1, 2, None),
    "resource_name": ("servers", "cores"),
    "default_limit": (0, 10, -1),
    "resource_limit": (0, 10, -1),
    "filters": ({"interface": "public"}, {"service_id": "x"}, {}),
    "config": ({"ldap": {"url": "x", "user_tree_dn": "y"}}, {"identity": {"driver": "ldap"}}),
    "signature": ("x", None),
    "access": ("a", "b"),
    "params": ({"SignatureVersion": "2"}, {"SignatureVersion": "0"}, {"X-Amz-Algorithm": "AWS4-HMAC-SHA256"}, {}),
    "headers": ({}, {"Authorization": "AWS4-HMAC-SHA256 Credential=a/1/2/3/4, SignedHeaders=host"}),
    "host": ("x:80", "[", "x"),
    "email": ("a@b",),
    "a:b": ("c",),
    "links": ({},),
}
IDS = (
    *("project_id", "user_id", "service_id", "parent_id", "tenant_id", "trustor_user_id", "trustee_user_id", "id"),
    *("default_project_id", "parent_region_id", "region", "explicit_domain_id"),
)
WRAPS = {
    "policies": "policy",
    "config": "config",
    "tags": "tags",
    "OS-EC2": "tenant_id",
    "ec2tokens": "credentials",
    "tokens": "auth",
    "password": "user",
}
MANY = ("limits", "registered_limits")


COLLECTIONS = (
    *("users", "projects", "domains", "roles", "groups", "regions", "credentials", "services", "endpoints"),
    *("registered_limits", "limits", "policies", "OS-TRUST/trusts", "OS-EP-FILTER/endpoint_groups"),
    *("OS-OAUTH1/consumers", "users/{user}/application_credentials", "users/{user}/access_rules"),
)
KINDS = {
    "actor_id": ("users", "groups"),
    "target_id": ("projects", "domains"),
    "policy_id": ("policies",),
    "prior_role_id": ("roles",),
    "implied_role_id": ("roles",),
    "value": ("tags",),
    "group": ("options",),
    "option": ("options",),
}
"""Which collections a parameter of a path is from, where its name does not say so."""

AUTHORIZATIONS = (
    *("", "Basic eA==", "Bearer x", "OAuth", "OAuth x", 'OAuth a="%ff"', "OAuth " + 'a="b",' * 50),
    'OAuth oauth_consumer_key="x", oauth_token="y", oauth_signature_method="HMAC-SHA1", oauth_timestamp="1", '
    'oauth_nonce="n", oauth_signature="z", oauth_verifier="v"',
    'OAuth oauth_consumer_key="x", oauth_signature_method="HMAC-SHA1", oauth_timestamp="99999999999999999999"',
)


class Odd:
    """Makes requests out of one dice."""

    def __init__(self, dice: random.Random, kinds: dict[str, list[str]]) -> None:
        self._dice = dice
        self._kinds = kinds
        self._ids = [id for ids in kinds.values() for id in ids]

    def _parameter(self, name: str) -> str:
        """What stands for a parameter of a path: mostly the id of something of that kind."""
        dice = self._dice
        wanted = KINDS.get(name, (f"{name.removesuffix('_id')}s",))
        fitting = [id for kind in wanted for id in self._kinds.get(kind, ())]
        if fitting and dice.random() < 0.8:
            return dice.choice(fitting)
        return dice.choice((*self._ids, "none", "%00", "ü", "a b"))

    def path(self, route: Route) -> str:
        """An address of the route, mostly of things that are there."""
        dice = self._dice
        parts = [self._parameter(part.strip("{}")) if part.startswith("{") else part for part in route.path.split("/")]
        names = ("name", "limit", "marker", "enabled", "domain_id", "sort_key", "effective", "user.id", "tags", "since")
        query = "&".join(
            f"{dice.choice(names)}={dice.choice(('', 'x', '-1', '0', '9' * 20, '%00', 'true', 'default'))}"
            for _ in range(dice.choice((0, 0, 1, 2)))
        )
        return f"/v3{'/'.join(parts)}{'?' + query if query else ''}"

    def document(self, route: Route) -> Any:
        """A document for the route, mostly under the right name."""
        dice = self._dice
        if dice.random() < 0.05:
            return dice.choice(ODD)
        last = next((part for part in reversed(route.path.split("/")) if part and not part.startswith("{")), "")
        wrap = WRAPS.get(last, last.removesuffix("s").replace("-", "_"))
        if wrap == "auth":
            return {"auth": self._auth()}
        if wrap == "tenant_id":
            return {"tenant_id": dice.choice(self._ids)}
        if last in MANY and route.method == "POST":
            return {last: [self._fields() for _ in range(dice.randint(0, 3))]}
        return {dice.choice((wrap, wrap, wrap, "nothing")): dice.choice((self._fields(), self._value(wrap)))}

    def _fields(self) -> dict[str, Any]:
        keys = [*SENSIBLE, *IDS]
        chosen = self._dice.sample(keys, self._dice.choice((2, 8, len(keys), len(keys))))
        odd = set(self._dice.sample(chosen, self._dice.choice((0, 0, 1, 2))))
        return {key: self._dice.choice(ODD) if key in odd else self._value(key) for key in chosen}

    def _value(self, key: str) -> Any:
        dice = self._dice
        return dice.choice(self._ids) if key in IDS else dice.choice(SENSIBLE.get(key, ODD))

    def _auth(self) -> Any:
        dice = self._dice
        user: dict[str, Any] = {"name": "admin", "domain": {"id": "default"}, "password": ADMIN_PASSWORD}
        user |= {"passcode": "000000"}
        user = {key: dice.choice((value, value, value, dice.choice(ODD))) for key, value in user.items()}
        methods = ["password", "token", "totp", "application_credential", "oauth1", "nothing"]
        contents: dict[str, Any] = {
            "password": {"user": user},
            "totp": {"user": user},
            "token": {"id": dice.choice(ODD)},
            "oauth1": {},
            "application_credential": {"id": dice.choice(ODD), "secret": "x", "name": "x", "user": user},
        }
        chosen: Any = dice.sample(methods, dice.randint(0, 2)) or ["password"]
        identity_ = {
            "methods": dice.choice((chosen, chosen, chosen, dice.choice(ODD))),
            **{key: dice.choice((value, value, value, dice.choice(ODD))) for key, value in contents.items()},
        }
        scope = {
            key: dice.choice((*ODD, {"id": dice.choice(self._ids)}))
            for key in dice.sample(
                ("project", "domain", "system", "unscoped", "OS-TRUST:trust"), dice.choice((0, 1, 1, 2))
            )
        }
        made = {"identity": identity_, "scope": dice.choice((scope, scope, dice.choice(ODD)))}
        return dice.choice((made, made, made, dice.choice(ODD)))


async def _kinds(cloud: IdentityCloud, token: str) -> dict[str, list[str]]:
    """Names and ids of what is there now by collection, some of it made by earlier requests."""
    found = {"options": ["ldap", "url", "identity"], "tags": ["a", "b"], "names": ["default", "RegionOne", "admin"]}
    user = cloud.ids.users["admin"]
    for path in COLLECTIONS:
        answer = await cloud.http.get(f"/v3/{path.replace('{user}', user)}", headers={"X-Auth-Token": token})
        name = path.split("/")[-1]
        if answer.status_code == 200:
            found[name] = [item["id"] for item in answer.json()[name]][:6]
    return found


async def send(seed: int, requests: int) -> Counter[int]:
    """Send so many requests, and count the answers by status. Raises AssertionError for the first that is a defect."""
    dice = random.Random(seed)
    routes = [
        route for route in identity.service(Passwords("cheap")).routes if not route.root and route not in absent.routes
    ]
    statuses: Counter[int] = Counter()
    for begin in range(0, requests, 500):
        # A new cloud now and then: an administrator who locks himself out would end the game.
        async with an_identity() as cloud:
            token = ""
            own = ("default", cloud.ids.users["admin"], cloud.ids.projects["admin"], cloud.ids.roles["admin"])
            for number in range(begin, min(begin + 500, requests)):
                if number % 50 == 0:
                    token = (await cloud.sign_in("admin", project="admin")).headers.get("x-subject-token", token)
                    odd = Odd(dice, await _kinds(cloud, token))
                route = dice.choice(routes)
                while route.method == "DELETE" and dice.random() < 0.8:
                    route = dice.choice(routes)
                path, body = odd.path(route), odd.document(route)
                # Whoever deletes or disables himself cannot go on: that is tried, but not often.
                while route.method != "GET" and any(id in path for id in own) and dice.random() < 0.98:
                    path = odd.path(route)
                headers = {"X-Auth-Token": token, "X-Subject-Token": token}
                if "OAUTH" in path or path.startswith("/v3/auth/tokens"):
                    headers |= {
                        "Authorization": dice.choice(AUTHORIZATIONS),
                        "Requested-Project-Id": dice.choice(("x", "")),
                    }
                answer = await cloud.http.request(route.method, path, json=body, headers=headers)
                statuses[answer.status_code] += 1
                assert answer.status_code < 500 or answer.status_code == 501, (
                    f"seed {seed}, request {number}: {route.method} {path} {body}: {answer.text}"
                )
                # OAuth 2.0 has a form of its own for refusals.
                if answer.status_code >= 400 and route.method != "HEAD" and "OS-OAUTH2" not in path:
                    assert set(answer.json()["error"]) == {"code", "message", "title"}, answer.text
            assert not cloud.notes.facts("defect")
    return statuses


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    counted = trio.run(send, first, wanted)
    print(f"{wanted} requests, none answered with 500: {dict(sorted(counted.items()))}")
