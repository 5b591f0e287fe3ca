"""Quotas: how much a project may have of each resource, counted exactly inside the transaction that takes more.

A limit of -1 binds nothing. What is in use is counted by the service itself and handed in; a number, or a function that is
only called where a limit binds at all. Where unified limits are switched on for a service, all limits are identity's.
"""

from collections.abc import Callable, Collection, Mapping

from minicloud.base import trace
from minicloud.base.errors import OverQuota
from minicloud.core import unified_limits
from minicloud.engines.database import Transaction

UNLIMITED = -1
DEFAULT_CLASS = "default"

Usage = Mapping[str, int] | Callable[[], Mapping[str, int]]

DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "compute": {
        "instances": 10,
        "cores": 20,
        "ram": 51_200,
        "metadata_items": 128,
        "injected_files": 5,
        "injected_file_content_bytes": 10_240,
        "injected_file_path_bytes": 255,
        "key_pairs": 100,
        "server_groups": 10,
        "server_group_members": 10,
    },
    "volume": {
        "volumes": 10,
        "snapshots": 10,
        "gigabytes": 1000,
        "backups": 10,
        "backup_gigabytes": 1000,
        "per_volume_gigabytes": -1,
        "groups": 10,
    },
}
"""What each service counts, and upstream's limits for it; an administrator changes them with the class ``default``.

The network's are its own: ``core/network/quotas.py``."""


UNIFIED_NAMES: Mapping[str, Mapping[str, str]] = {
    "compute": {
        "instances": "servers",
        "cores": "class:VCPU",
        "ram": "class:MEMORY_MB",
        "metadata_items": "server_metadata_items",
        "injected_files": "server_injected_files",
        "injected_file_content_bytes": "server_injected_file_content_bytes",
        "injected_file_path_bytes": "server_injected_file_path_bytes",
        "key_pairs": "server_key_pairs",
        "server_groups": "server_groups",
        "server_group_members": "server_group_members",
    },
}
"""What identity's limits call the same; the other services' bear the same names."""

OF_PROJECTS = ("instances", "cores", "ram")
"""Of compute's, those that a project may have its own unified limit of; for the rest the registered limit holds."""

REQUIRED = ("servers",)
"""Upstream's ``unified_limits_resource_list``: without a registered limit there are none of these."""


def defaults(tx: Transaction, service: str) -> dict[str, int]:
    """The limits of a project for which nobody set others."""
    return class_limits(tx, service, DEFAULT_CLASS)


def class_limits(tx: Transaction, service: str, name: str) -> dict[str, int]:
    """The limits of a quota class; what it does not say itself is as the cloud came, or in other services as the default class says."""
    if unified_limits.switched_on(tx, service):
        return _unified(tx, service, None)
    found = dict(DEFAULTS[service])
    for wanted in [name] if service == "compute" else dict.fromkeys([DEFAULT_CLASS, name]):
        rows = tx.all(
            "SELECT resource, hard_limit FROM quota_classes WHERE service = ? AND class = ?", [service, wanted]
        )
        found.update((resource, limit) for resource, limit in rows)
    return found


def limits(tx: Transaction, service: str, project_id: str) -> dict[str, int]:
    """The limits of a project."""
    if unified_limits.switched_on(tx, service):
        return _unified(tx, service, project_id)
    found = defaults(tx, service)
    found.update(own_limits(tx, service, project_id))
    return found


def _unified(tx: Transaction, service: str, project_id: str | None) -> dict[str, int]:
    """Identity's limits by the names of quotas; what is not registered is shown as 0 by compute, as upstream shows it."""
    names = UNIFIED_NAMES.get(service, {})
    registered = unified_limits.limits(tx, service, None)
    own = unified_limits.limits(tx, service, project_id)
    found = {}
    for resource, default in DEFAULTS[service].items():
        name = names.get(resource, resource)
        found[resource] = (own if service != "compute" or resource in OF_PROJECTS else registered).get(
            name, 0 if service == "compute" else default
        )
    return found


def own_limits(tx: Transaction, service: str, project_id: str) -> dict[str, int]:
    """Only those limits that somebody set for the project itself."""
    rows = tx.all("SELECT resource, hard_limit FROM quotas WHERE service = ? AND project_id = ?", [service, project_id])
    return dict(rows)


def projects(tx: Transaction, service: str) -> list[str]:
    """The projects that have limits of their own."""
    rows = tx.all("SELECT DISTINCT project_id FROM quotas WHERE service = ? ORDER BY project_id", [service])
    return [row[0] for row in rows]


def set_limits(tx: Transaction, service: str, project_id: str, values: Mapping[str, int]) -> None:
    """Limits for one project, from now on; what it has already stays even if it is more."""
    trace.note("quota_set", service=service, project=project_id, limits=dict(values))
    tx.many(
        "INSERT INTO quotas (service, project_id, resource, hard_limit) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (service, project_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
        [(service, project_id, resource, limit) for resource, limit in values.items()],
    )


def set_class_limits(tx: Transaction, service: str, name: str, values: Mapping[str, int]) -> None:
    """Limits of a quota class, from now on."""
    trace.note("quota_class_set", service=service, name=name, limits=dict(values))
    tx.many(
        "INSERT INTO quota_classes (service, class, resource, hard_limit) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (service, class, resource) DO UPDATE SET hard_limit = excluded.hard_limit",
        [(service, name, resource, limit) for resource, limit in values.items()],
    )


def reset(tx: Transaction, service: str, project_id: str) -> None:
    """The project has the defaults again."""
    tx.execute("DELETE FROM quotas WHERE service = ? AND project_id = ?", [service, project_id])


def check(tx: Transaction, service: str, project_id: str, deltas: Mapping[str, int], usage: Usage) -> None:
    """Whether the project may have this much more; to be asked in the transaction that takes it.

    Args:
        deltas: how much more of each resource.
        usage: what is in use now, this request not included.

    Raises:
        OverQuota: in the words of the service; ``detail`` has overs, requested, used and allowed.
    """
    if not any(more > 0 for more in deltas.values()):
        return
    if service == "compute" and unified_limits.switched_on(tx, service):
        _check_unified(tx, project_id, deltas, usage)
        return
    check_against(service, project_id, deltas, usage, limits(tx, service, project_id))


def check_against(
    service: str, project_id: str, deltas: Mapping[str, int], usage: Usage, allowed: Mapping[str, int]
) -> None:
    """As ``check``, with the limits at hand. Raises OverQuota."""
    binding = {resource: more for resource, more in deltas.items() if more > 0 and allowed[resource] != UNLIMITED}
    if not binding:
        return
    used = usage() if callable(usage) else usage
    overs = sorted(resource for resource, more in binding.items() if used.get(resource, 0) + more > allowed[resource])
    trace.note("quota", service=service, project=project_id, asked=dict(deltas), used=dict(used), overs=overs)
    if overs:
        raise _over(service, overs, deltas, used, allowed)


def _check_unified(tx: Transaction, project_id: str, deltas: Mapping[str, int], usage: Usage) -> None:
    names = UNIFIED_NAMES["compute"]
    used = usage() if callable(usage) else usage
    # What is counted for a server, a user or a group is the same for all projects, and oslo.limit is asked for none.
    for whose in (project_id, None):
        asked = {name: more for name, more in deltas.items() if (name in OF_PROJECTS) == (whose is not None)}
        unified_limits.enforce(
            tx,
            "compute",
            whose,
            {names[name]: more for name, more in asked.items()},
            {names[name]: used.get(name, 0) for name in asked},
            REQUIRED,
        )


def room(tx: Transaction, service: str, project_id: str, resources: Collection[str], usage: Usage) -> dict[str, int]:
    """How much more of each resource the project may have; -1 where there is no limit, never below 0 otherwise."""
    allowed = limits(tx, service, project_id)
    if all(allowed[resource] == UNLIMITED for resource in resources):
        return dict.fromkeys(resources, UNLIMITED)
    used = usage() if callable(usage) else usage
    return {
        resource: UNLIMITED if allowed[resource] == UNLIMITED else max(0, allowed[resource] - used.get(resource, 0))
        for resource in resources
    }


_WORDS = {
    "metadata_items": "Maximum number of metadata items exceeds {allowed}",
    "key_pairs": "Quota exceeded, too many key pairs.",
    "server_groups": "Quota exceeded, too many server groups.",
    "server_group_members": "Quota exceeded, too many servers in group",
    "injected_files": "Personality file limit exceeded",
    "injected_file_content_bytes": "Personality file content too long",
    "injected_file_path_bytes": "Personality file path too long",
}
"""What compute says of resources that are asked for one at a time."""


def _over(
    service: str, overs: list[str], deltas: Mapping[str, int], used: Mapping[str, int], allowed: Mapping[str, int]
) -> OverQuota:
    names = ", ".join(overs)
    if service == "compute" and overs[0] in _WORDS:
        message = _WORDS[overs[0]].format(allowed=allowed[overs[0]])
    elif service == "compute":
        asked = ", ".join(str(deltas[resource]) for resource in overs)
        have = ", ".join(str(used.get(resource, 0)) for resource in overs)
        most = ", ".join(str(allowed[resource]) for resource in overs)
        message = f"Quota exceeded for {names}: Requested {asked}, but already used {have} of {most} {names}"
    else:
        message = f"Quota exceeded for resources: {names}"
    return OverQuota(
        message,
        kind="OverQuota",
        overs=overs,
        requested={resource: deltas[resource] for resource in overs},
        used={resource: used.get(resource, 0) for resource in overs},
        allowed={resource: allowed[resource] for resource in overs},
    )
