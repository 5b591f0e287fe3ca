"""Property protections: the first section that matches counts; roles or policies say who may do what."""

import pytest

from minicloud.base.errors import Invalid
from minicloud.core.image.protections import OPEN, parse

FILE = """
[x_billing.*]
create = admin, billing
read = @
update = admin
delete = !

[^x_.*]
create = member
read = member
update = member
delete = member
"""
BY_POLICY = "[.*]\ncreate = context_is_admin\nread = @\nupdate = !\ndelete = context_is_admin\n"


def never(rule: str) -> bool:
    raise AssertionError(rule)


def test_roles_are_held_to_the_first_section_that_matches() -> None:
    found = parse(FILE, "roles", "file")
    member, billing = {"member", "reader"}, {"billing"}
    assert found.allow("create", "x_billing_code", billing, never)
    assert not found.allow("create", "x_billing_code", member, never)
    assert found.allow("read", "x_billing_code", set(), never)
    assert not found.allow("delete", "x_billing_code", {"admin"}, never)
    assert found.allow("create", "x_other", member, never)
    assert not found.allow("read", "colour", {"admin"}, never), "no section matches: nobody's"
    assert found.allow("create", "os_glance_import_task", set(), never)
    assert OPEN.allow("delete", "anything", set(), never)


def test_policies_are_asked_by_their_names() -> None:
    found = parse(BY_POLICY, "policies", "file")
    assert found.policies == {"context_is_admin"}
    assert found.allow("create", "colour", (), lambda rule: rule == "context_is_admin")
    assert not found.allow("create", "colour", (), lambda rule: False)
    assert found.allow("read", "colour", (), never)
    assert not found.allow("update", "colour", (), never)


@pytest.mark.parametrize(
    ("text", "format", "words"),
    [
        ("[(]\ncreate = a\nread = a\nupdate = a\ndelete = a\n", "roles", "regular expression"),
        ("[a]\ncreate = a\nread = a\n", "roles", "update"),
        ("[a]\ncreate = @,!\nread = a\nupdate = a\ndelete = a\n", "roles", "together"),
        ("[a]\ncreate = p,q\nread = p\nupdate = p\ndelete = p\n", "policies", "one policy"),
        ("create = a", "roles", "Cannot read"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, format: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse(text, format, "the file")  # type: ignore[arg-type]
