"""Property protections: who may create, read, update and delete which properties of images, as Glance's file says it.

The file has a section for each regular expression of names; the first that matches counts, and a name that none matches is
nobody's. Each operation names roles, or, in the other format, one policy. ``@`` is everybody, ``!`` nobody.
"""

import configparser
import re
from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from minicloud.base.errors import Invalid

Operation = Literal["create", "read", "update", "delete"]
OPERATIONS: tuple[Operation, ...] = ("create", "read", "update", "delete")
Format = Literal["roles", "policies"]
OURS = "os_glance"
"""Properties with this beginning are the service's own, and never protected from it."""


class Section(msgspec.Struct, frozen=True):
    """The rule for names that match: roles, or the name of one policy, by operation."""

    pattern: str
    allowed: dict[str, tuple[str, ...]]


class Protections(msgspec.Struct, frozen=True, kw_only=True):
    """All rules in their order; None: nothing is protected."""

    sections: tuple[Section, ...] | None = None
    format: Format = "roles"

    @property
    def policies(self) -> frozenset[str]:
        """The policies that the rules name."""
        if self.format == "roles":
            return frozenset()
        words = (word for section in self.sections or () for allowed in section.allowed.values() for word in allowed)
        return frozenset(words) - {"@", "!"}

    def judge(self, roles: Collection[str], policy: Callable[[str], bool]) -> Callable[[Operation, str], bool]:
        """What somebody with these roles may do, as a question to be asked for each property."""
        return lambda operation, name: self.allow(operation, name, roles, policy)

    def allow(self, operation: Operation, name: str, roles: Collection[str], policy: Callable[[str], bool]) -> bool:
        """Whether somebody with these roles may do this to the property; ``policy`` asks a policy by its name."""
        if self.sections is None or name.startswith(OURS):
            return True
        section = next((one for one in self.sections if re.match(one.pattern, name)), None)
        if section is None:
            return False
        allowed = section.allowed[operation]
        if "@" in allowed:
            return True
        if "!" in allowed:
            return False
        if self.format == "policies":
            return all(policy(rule) for rule in allowed) and bool(allowed)
        return any(role.lower() in roles for role in allowed)


OPEN = Protections()
"""Nothing is protected."""


def parse(text: str, format: Format, where: str) -> Protections:
    """A file's rules. ``where`` names it in errors; whether there are the ``policies`` that it names is to be seen by others.

    Raises Invalid for a pattern that is none, an operation that is not said, or a rule that makes no sense.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Invalid(f"Cannot read {where}: {error}") from error
    sections = []
    for pattern in parser.sections():
        if pattern.startswith(OURS):
            continue
        try:
            re.compile(pattern)
        except re.error as error:
            raise Invalid(f"{where}: [{pattern}] is no regular expression: {error}") from error
        allowed: dict[str, tuple[str, ...]] = {}
        for operation in OPERATIONS:
            if not parser.has_option(pattern, operation):
                raise Invalid(f"{where}: [{pattern}] does not say who may {operation}: every section says all of four")
            allowed[operation] = _allowed(parser.get(pattern, operation), format, f"{where}: [{pattern}] {operation}")
        sections.append(Section(pattern, allowed))
    return Protections(sections=tuple(sections), format=format)


def _allowed(text: str, format: Format, where: str) -> tuple[str, ...]:
    found = tuple(word.strip() for word in text.split(",") if word.strip())
    if "@" in found and "!" in found:
        raise Invalid(f"{where}: @ (everybody) and ! (nobody) cannot stand together")
    if format == "policies" and len(found) > 1:
        raise Invalid(f"{where}: one policy only; combine them in the policy file")
    return found
