"""Checks that identity's policies rest on: literals, nothing, and the names that Keystone has for scopes."""

import pytest

from minicloud.core.context import Context
from minicloud.core.policy import Policy

MEMBER = Context(user_id="u", project_id="p", project_domain_id="d", roles=frozenset({"member"}))
DOMAIN = Context(user_id="u", domain_id="d", roles=frozenset({"manager"}))


@pytest.mark.parametrize(
    ("check", "who", "target", "allowed"),
    [
        ("domain_id:None", MEMBER, {}, True),
        ("domain_id:None", DOMAIN, {}, False),
        ("not domain_id:None", DOMAIN, {}, True),
        ("None:%(target.role.domain_id)s", MEMBER, {"target.role.domain_id": None}, True),
        ("None:%(target.role.domain_id)s", MEMBER, {"target.role.domain_id": "d"}, False),
        ("None:%(target.role.domain_id)s", MEMBER, {}, False),
        ("not None:%(target.project.domain_id)s", DOMAIN, {"target.project.domain_id": "d"}, True),
        ("domain_id:%(target.domain_id)s", MEMBER, {"target.domain_id": None}, False),
        ("domain_id:%(target.domain_id)s", DOMAIN, {"target.domain_id": "d"}, True),
        ("token.domain.id:%(target.user.domain_id)s", DOMAIN, {"target.user.domain_id": "d"}, True),
        ("token.project.domain.id:%(target.domain.id)s", MEMBER, {"target.domain.id": "d"}, True),
        ("token.project.domain.id:%(target.domain.id)s", DOMAIN, {"target.domain.id": "d"}, False),
        ("rule:domain_managed_target_role", DOMAIN, {"target.role.name": "member"}, True),
        ("rule:domain_managed_target_role", DOMAIN, {"target.role.name": "admin"}, False),
        ("rule:token_subject", MEMBER, {"target.token.user_id": "u"}, True),
        ("rule:token_subject", MEMBER, {}, False),
    ],
)
def test_checks(check: str, who: Context, target: dict[str, str | None], allowed: bool) -> None:
    assert Policy([("asked", check)]).allows("asked", who, target) is allowed
