"""Policy: the language of checks and its precedence, what is refused when it is read, overrides, and what identity rests on."""

import pytest

from minicloud.base import trace
from minicloud.base.errors import Forbidden, Invalid
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


def allowed(check: str, who: Context = MEMBER, target: dict[str, str] | None = None) -> bool:
    """Whether a rule of this check lets somebody act."""
    return Policy([("rule", check)]).allows("rule", who, target)


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        ("@", True),
        ("!", False),
        ("", True),
        ("role:member", True),
        ("role:MEMBER", True),
        ("role:admin", False),
        ("not role:admin", True),
        ("not not role:member", True),
        ("role:member and role:admin", False),
        ("role:member or role:admin", True),
        # and binds more than or, not more than and
        ("role:member or role:admin and role:admin", True),
        ("(role:member or role:admin) and role:admin", False),
        ("not role:admin and role:member", True),
        ("not (role:admin or role:member)", False),
        ("((role:member))", True),
        ("role:member AND NOT role:admin", True),
        ("is_admin:False", True),
        ("is_admin:True", False),
        ("project_id:%(project_id)s", True),
        ("user_id:%(user_id)s and project_id:p", True),
        ("'red':red", True),
        ("nonsense:anything", False),
    ],
)
def test_the_language(check: str, wanted: bool) -> None:
    assert allowed(check) is wanted


@pytest.mark.parametrize(
    "check",
    [
        "(role:a",
        "role:a)",
        "role:a or",
        "and role:a",
        "not",
        "role:a role:b",
        "just_a_word",
        "rule:nobody",
        "()",
        "role:a or or role:b",
    ],
)
def test_what_cannot_be_read_is_refused_when_the_cloud_starts(check: str) -> None:
    with pytest.raises(Invalid):
        Policy([("rule", check)])


def test_a_target_without_the_attribute_matches_nothing() -> None:
    assert not allowed("project_id:%(project_id)s", target={})
    assert not allowed("project_id:%(project_id)s", target={"project_id": "other"})
    assert not allowed("domain_id:%(domain_id)s", target={"domain_id": "None"})
    assert allowed("project_id:%(tenant)s", target={"tenant": "p"})


def test_rules_may_name_rules_and_a_file_may_change_them() -> None:
    rules = [("a", "rule:b and role:member"), ("b", "role:admin")]
    assert not Policy(rules).allows("a", MEMBER)
    changed = Policy(rules, {"b": "@"})
    assert changed.allows("a", MEMBER)
    assert (changed.rules["b"].overridden, changed.rules["a"].overridden) == (True, False)
    assert changed.rules["b"].default == "role:admin"
    with pytest.raises(Invalid, match="rules that do not exist: nobody"):
        Policy(rules, {"nobody": "@"})


def test_a_file_may_have_rules_of_its_own_if_something_names_them() -> None:
    rules = [("a", "role:admin")]
    assert Policy(rules, {"a": "rule:ours", "ours": "role:member"}).allows("a", MEMBER)
    elsewhere = Policy(rules, {"ours": "role:member"}, named={"ours", "default"})
    assert elsewhere.allows("ours", MEMBER)
    assert (elsewhere.rules["ours"].default, elsewhere.rules["ours"].overridden) == ("!", True)
    with pytest.raises(Invalid, match="no policy ours, which the property protection file names"):
        elsewhere.reload({})
    assert elsewhere.allows("ours", MEMBER)


def test_a_rule_has_one_default() -> None:
    with pytest.raises(Invalid, match="two defaults"):
        Policy([("a", "@"), ("a", "!")])


def test_a_refusal_names_the_rule_and_every_verdict_is_noted() -> None:
    notes = trace.Recording()
    policy = Policy([("things:make", "role:admin"), ("things:look", "role:member")])
    with trace.recording(notes):
        policy.enforce("things:look", MEMBER)
        with pytest.raises(Forbidden, match="Policy doesn't allow things:make to be performed") as caught:
            policy.enforce("things:make", MEMBER)
    assert caught.value.detail == {"rule": "things:make"}
    assert notes.facts("policy") == [
        {"rule": "things:look", "check": "role:member", "allowed": True},
        {"rule": "things:make", "check": "role:admin", "allowed": False},
    ]


def test_a_rule_may_be_for_tokens_of_some_scopes_only() -> None:
    policy = Policy([("a", "role:admin"), ("b", "role:admin")], {"b": "@"}, {"b": frozenset({"project"})})
    nobodys, projects = (Context(user_id="u", roles=frozenset({"admin"}), project_id=id) for id in (None, "p"))
    domains = Context(user_id="u", roles=frozenset({"admin"}), domain_id="d")
    systems = Context(user_id="u", roles=frozenset({"admin"}), system_scope="all")
    everybody = (nobodys, projects, domains, systems)
    assert [policy.allows("a", who) for who in everybody] == [True] * 4
    assert [policy.allows("b", who) for who in everybody] == [True, True, False, False]
    assert [(reason.check, reason.holds) for reason in policy.explain("b", systems, {})] == [
        ("a token for: project", False),
        ("@", True),
    ]
    policy.reload({})
    assert not policy.allows("b", domains)
