"""Who may do what: Neutron's rules by name with their defaults, and asking several of them about one thing at once."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from minicloud.api.call import Call
from minicloud.base import trace
from minicloud.base.errors import Forbidden, Invalid, NotFound
from minicloud.core.records import Transaction

T = TypeVar("T")
NETWORK_CHANGES = "network_changes"
ADMIN = "rule:admin_only"
SERVICE = "rule:service_api"
MEMBER = "role:member and project_id:%(project_id)s"
READER = "role:reader and project_id:%(project_id)s"
NET_MEMBER = "role:member and rule:network_owner"
NET_READER = "role:reader and rule:network_owner"
ADMIN_OR_SERVICE = f"({ADMIN}) or ({SERVICE})"
ADMIN_OR_MEMBER = f"({ADMIN}) or ({MEMBER})"
ADMIN_OR_READER = f"({ADMIN}) or ({READER})"
MANAGER = "role:manager and project_id:%(project_id)s"
ADMIN_OR_MANAGER = f"({ADMIN}) or ({MANAGER})"
PARENT_READER = f"({ADMIN}) or (role:reader and rule:ext_parent_owner)"
PARENT_MEMBER = f"({ADMIN}) or (role:member and rule:ext_parent_owner)"
PARENT_MANAGER = f"({ADMIN}) or (role:manager and rule:ext_parent_owner)"
OWNER_OF_NET = f"{ADMIN_OR_SERVICE} or {NET_MEMBER}"
OWNER_OR_SHARED = f"{OWNER_OF_NET} or rule:shared"

BASE = [
    ("admin_only", "rule:context_is_admin"),
    ("service_api", "role:service"),
    ("context_is_advsvc", "role:advsvc"),
    ("network_owner", "project_id:%(network:project_id)s"),
    ("shared", "field:networks:shared=True"),
    ("external", "field:networks:router:external=True"),
    ("external_network", "field:subnets:router:external=True"),
    ("network_device", "field:port:device_owner=~^network:"),
    ("compute_device", "field:port:device_owner=~^compute:"),
    ("baremetal_device", "field:port:device_owner=~^baremetal:"),
    ("manila_device", "field:port:device_owner=~^manila:"),
    ("sg_owner", "project_id:%(security_group:project_id)s"),
    ("ext_parent_owner", "project_id:%(ext_parent:project_id)s"),
]
"""The rules that others refer to."""


def permit(call: Call, action: str, target: Mapping[str, Any], named: Iterable[str] = ()) -> None:
    """Ask for an action and for each of its further rules (``shared`` asks for ``create_network:shared``).

    Raises Forbidden as Neutron words it.
    """
    call.judged = True
    rules = [action, *(f"{action}:{name}" for name in named)]
    refused = [rule for rule in rules if not call.allows(rule, target)]
    trace.note("policy", rule=action, with_=rules[1:], allowed=not refused, refused=refused)
    if refused:
        asked = f"rule:{rules[0]}" if len(rules) == 1 else f"({' and '.join(f'rule:{rule}' for rule in rules)})"
        raise Forbidden(f"{asked} is disallowed by policy", rule=refused[0])


def permit_seeing(call: Call, rule: str, target: Mapping[str, Any]) -> None:
    """Whoever may not see something is told that it is not there, whatever else was asked for. Raises NotFound."""
    call.judged = True
    allowed = call.allows(rule, target)
    trace.note("policy", rule=rule, allowed=allowed, refused=[] if allowed else [rule])
    if not allowed:
        raise NotFound("The resource could not be found.", kind="HTTPNotFound")


def sight(call: Call, rule: str) -> Callable[[Hashable, Callable[[], Mapping[str, Any]]], bool]:
    """Which things of a list whoever asks may see: by what tells them apart for the rule, and what it looks at."""
    verdicts: dict[Hashable, bool] = {}

    def sees(key: Hashable, target: Callable[[], Mapping[str, Any]]) -> bool:
        if key not in verdicts:
            verdicts[key] = call.allows(rule, target())
        return verdicts[key]

    return sees


async def write(call: Call, work: Callable[[Transaction], T]) -> T:
    """Commit a change that hosts have to follow, and have it carried to them without waiting."""
    done = await call.write(work)
    call.means.poke(NETWORK_CHANGES)
    return done


def hidden(call: Call, rules: Mapping[str, str], target: Mapping[str, Any]) -> list[str]:
    """The attributes of an answer that whoever asks may not read. ``rules`` are policies by attribute."""
    return [name for name, rule in rules.items() if not call.allows(rule, target)]


def revision(call: Call) -> int | None:
    """The revision that an If-Match demands. Raises Invalid when it demands something else."""
    condition = call.header("if-match")
    if condition is None:
        return None
    word, _, number = condition.partition("=")
    if word != "revision_number" or not number.isdigit():
        raise Invalid(
            "Bad if-match request: If-Match only supports constraints of the form revision_number=<int>.",
            kind="BadRequest",
        )
    return int(number)
