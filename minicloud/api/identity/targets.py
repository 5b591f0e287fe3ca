"""What identity's policies are asked about: the attributes of what is acted upon, and the checks that several routes share."""

from typing import Any

from minicloud.core.identity.groups import Group
from minicloud.core.identity.projects import Project
from minicloud.core.identity.roles import Role
from minicloud.core.identity.users import User
from minicloud.core.policy import Scopes, Target

OF_PROJECTS_AND_SYSTEM: Scopes = frozenset({"project", "system"})
OF_ALL: Scopes = frozenset({"project", "domain", "system"})

ADMIN = "rule:admin_required"
SYSTEM_READER = "(role:reader and system_scope:all)"
ADMIN_OR_SYSTEM_READER = f"{ADMIN} or {SYSTEM_READER}"
DOMAIN_READER_LISTING = f"{ADMIN_OR_SYSTEM_READER} or (role:reader and domain_id:%(target.domain_id)s)"

_ATTRIBUTES = ("id", "domain_id", "name")


def target(**things: User | Group | Project | Role | dict[str, Any] | None) -> Target:
    """``target(user=found)`` for checks such as ``%(target.user.domain_id)s``; what is None is left out, and matches nothing."""
    found: dict[str, Any] = {}
    for kind, thing in things.items():
        if thing is None:
            continue
        for name in _ATTRIBUTES:
            if isinstance(thing, dict):
                if name in thing:
                    found[f"target.{kind}.{name}"] = thing[name]
            else:
                found[f"target.{kind}.{name}"] = getattr(thing, name)
    return found
