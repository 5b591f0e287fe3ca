"""policy.yaml: read with the line in every refusal; rules that cannot work are refused before anybody asks them."""

import pytest

from minicloud.base.errors import Invalid, NotFound
from minicloud.core.context import Context
from minicloud.core.policy import Policy
from minicloud.core.policy_file import parse

MEMBER = Context(user_id="u", project_id="p", roles=frozenset({"member", "reader"}))
RULES = [("a:list", "role:reader and project_id:%(project_id)s"), ("a:make", "role:admin")]


def test_rules_by_name() -> None:
    assert parse("a:list: 'role:admin'\n# why\na:make: '@'\nb: ''\nc:\n") == {
        "a:list": "role:admin",
        "a:make": "@",
        "b": "",
        "c": "",
    }
    assert parse("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 'x'\nb: [", "line"),
        ("- a", "line 1"),
        ("a: 'x'\na: 'y'", "line 2: a is there twice"),
        ("a: 'x'\nb: [1]", "line 2: the rule of b"),
        ("? [a]\n: b", "line 1"),
        ("a: \x00", "policy.yaml"),
    ],
)
def test_refusals_name_the_line(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"a:liste": "@"}, "do not exist: a:liste"),
        ({"a:list": "role:x and"}, "in the rule of a:list"),
        ({"a:list": "(role:x"}, "parenthesis"),
        ({"a:list": "rule:nothing"}, "does not exist"),
        ({"a:list": "rule:a:make", "a:make": "not rule:a:list"}, "circle"),
        ({"a:list": "field:x:y=~["}, "regular expression"),
    ],
)
def test_rules_that_cannot_work_are_refused(overrides: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        Policy(RULES, overrides)


def test_other_rules_are_taken_or_nothing_changes() -> None:
    policy = Policy(RULES)
    assert policy.allows("a:list", MEMBER)
    policy.reload({"a:list": "!", "a:make": "role:member"})
    assert not policy.allows("a:list", MEMBER)
    assert policy.allows("a:make", MEMBER)
    assert policy.rules["a:make"].overridden
    with pytest.raises(Invalid):
        policy.reload({"a:list": "("})
    assert policy.allows("a:make", MEMBER)
    policy.reload({})
    assert policy.allows("a:list", MEMBER)


def test_reasons_tell_which_part_holds() -> None:
    policy = Policy([("a:do", "rule:admin_api or (role:reader and not project_id:%(project_id)s)")])
    told = [(one.check, one.holds, one.depth) for one in policy.explain("a:do", MEMBER, {"project_id": "p"})]
    assert told == [
        ("rule:admin_api", False, 0),
        ("rule:context_is_admin", False, 1),
        ("role:admin", False, 2),
        ("role:reader", True, 0),
        ("project_id:%(project_id)s", True, 0),
    ]
    with pytest.raises(NotFound):
        policy.explain("nothing", MEMBER, {})
