"""What servers may be filtered and sorted by, by whom and since when, as data (nova 34.0.0: api/openstack/compute/servers.py).

What is not for everybody is passed over for those whom ``allow_all_filters`` refuses; what nobody knows is passed over before
2.75 and refused since.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from minicloud.api.call import Call
from minicloud.api.compute import queries
from minicloud.api.listing import Reader, equal, moment, since, truth
from minicloud.base import clock
from minicloud.base.errors import Forbidden, Invalid
from minicloud.core.compute import lifecycle
from minicloud.core.queries import pattern
from minicloud.core.records import AnyOf, Condition

POLICY = "os_compute_api:servers"
ALL_FILTERS = f"{POLICY}:allow_all_filters"
ALWAYS, NEVER = "2.1", "3.0"
ROOT_DEVICES = ("/dev/vda", "/dev/sda", "/dev/hda")
Found = list[Condition | AnyOf]


def expression(column: str) -> Reader:
    """Filter: the regular expression occurs in the column."""
    return lambda text: [Condition(column, "matches", text)]


class Filter(msgspec.Struct, frozen=True):
    """A filter: how it is read, since when everybody may use it, and since when it is known at all."""

    read: Callable[[str], Any]
    everybody: str = NEVER
    known: str = ALWAYS


def _tags(combine: Callable[[list[Condition]], Found], operator: Any) -> Filter:
    def read(text: str) -> Found:
        return combine([Condition("tags", operator, tag) for tag in text.split(",")])

    return Filter(read, "2.26", "2.26")


def _flavor(text: str) -> Found:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [Condition("flavor", "like", f'%"id":"{escaped}"%')]


def said_truth(text: str) -> bool:
    """A truth as a query says it. Raises Invalid in Nova's words."""
    try:
        return truth(text)
    except Invalid as error:
        raise Invalid(
            f"Invalid input received: Unrecognized value '{text}', acceptable values are: {TRUTHS}"
        ) from error


def _locked(text: str) -> Found:
    return [Condition("locked", "=", said_truth(text))]


def _config_drive(text: str) -> Found:
    """Nova keeps it as a text: True, or nothing."""
    found = [kept for kept, written in ((True, "True"), (False, "")) if re.search(pattern(text), written)]
    return [Condition("config_drive", "in", found)]


def _nothing(text: str) -> Found:
    """Known, and without effect: Nova's records have nothing of that name."""
    return []


def _disk_config(text: str) -> Found:
    return [Condition("disk_config", "=", "AUTO" if truth(text) else "MANUAL")]


def _part(name: str) -> Callable[[str], Found]:
    """The kernel or ramdisk that the server's image names."""

    def read(text: str) -> Found:
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return [Condition("image_properties", "like", f'%"{name}":{{"blob":"{escaped}"%')]

    return read


def _changed_until(text: str) -> Found:
    """The second that is named counts whole, as clients see no finer time of a server."""
    last = clock.moment(moment(text)).replace(microsecond=0)
    try:
        return [Condition("updated_at", "<", clock.stamp(last + timedelta(seconds=1)))]
    except OverflowError:
        # The end of the calendar: everything was before.
        return []


def _root_device(text: str) -> Found:
    """By what the first disk is called; servers that were made before that was written down have the usual one."""
    wanted = [name for name in ROOT_DEVICES if re.search(pattern(text), name)]
    others = [name for name in ROOT_DEVICES if name not in wanted]
    if ROOT_DEVICES[0] not in wanted:
        return [Condition("image_properties", "matches", f'"root_device_name":"(?:{"|".join(wanted)})"}}$')]
    return [Condition("image_properties", "matches", f'^(?!.*"root_device_name":"(?:{"|".join(others)})"}}$)')]


IMAGE, NAME, PROJECT = equal("image_id"), expression("name"), equal("project_id")

FILTERS: dict[str, Filter] = {
    "reservation_id": Filter(expression("reservation_id"), ALWAYS),
    "name": Filter(NAME, ALWAYS),
    "image": Filter(IMAGE, ALWAYS),
    "flavor": Filter(_flavor, ALWAYS),
    "changes-since": Filter(since("updated_at"), ALWAYS),
    "changes-before": Filter(_changed_until, "2.66"),
    "locked": Filter(_locked, "2.73", "2.73"),
    "tags": _tags(lambda each: list(each), "has"),
    "tags-any": _tags(lambda each: [AnyOf(list(each))], "has"),
    "not-tags": _tags(lambda each: [AnyOf(list(each))], "has not"),
    "not-tags-any": _tags(lambda each: list(each), "has not"),
    "availability_zone": Filter(expression("zone"), "2.83"),
    "config_drive": Filter(_config_drive, "2.83"),
    "key_name": Filter(expression("key_name"), "2.83"),
    "created_at": Filter(expression("created_at"), "2.83"),
    "launched_at": Filter(expression("launched_at"), "2.83"),
    "terminated_at": Filter(expression("terminated_at"), "2.83"),
    "power_state": Filter(expression("power_state"), "2.83"),
    "task_state": Filter(equal("task_state"), "2.83"),
    "vm_state": Filter(equal("vm_state"), "2.83"),
    "progress": Filter(expression("progress"), "2.83"),
    "user_id": Filter(equal("user_id"), "2.83"),
    "hostname": Filter(expression("hostname"), "2.90"),
    "launch_index": Filter(expression("launch_index")),
    "image_ref": Filter(IMAGE),
    "kernel_id": Filter(_part("kernel")),
    "ramdisk_id": Filter(_part("ramdisk")),
    "host": Filter(equal("host")),
    "node": Filter(expression("node")),
    "display_name": Filter(NAME),
    "description": Filter(_nothing),
    "display_description": Filter(expression("description")),
    "uuid": Filter(equal("id")),
    "root_device_name": Filter(_root_device),
    "access_ip_v4": Filter(expression("access_ip_v4")),
    "access_ip_v6": Filter(expression("access_ip_v6")),
    "auto_disk_config": Filter(_disk_config),
    "project_id": Filter(PROJECT),
    "tenant_id": Filter(PROJECT),
}
"""Every filter that is a condition on the servers' own records."""

ELSEWHERE = {
    "ip": ALWAYS,
    "ip6": "2.5",
    "status": ALWAYS,
    "all_tenants": ALWAYS,
    "deleted": NEVER,
    "soft_deleted": NEVER,
    "locked_by": NEVER,
}
"""Filters that the listing itself reads, and since when everybody may use them."""

EXPRESSIONS = frozenset(
    (
        "kernel_id", "ramdisk_id", "hostname", "key_name", "power_state", "node", "flavor", "reservation_id",
        "launched_at", "terminated_at", "availability_zone", "name", "display_name", "description",
        "display_description", "locked_by", "root_device_name", "config_drive", "access_ip_v4", "access_ip_v6",
        "auto_disk_config", "progress", "ip", "ip6", "created_at",
    )
)  # fmt: skip
"""What has to be a regular expression, whether or not it counts for whoever says it."""
TAGS = frozenset(("tags", "tags-any", "not-tags", "not-tags-any"))
"""These, too, since 2.26."""
TRUTHS = "'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'"

PAGING = ("limit", "marker", "sort_key", "sort_dir")
JOINED = (
    "block_device_mapping",
    "services",
    "metadata",
    "system_metadata",
    "info_cache",
    "security_groups",
    "pci_devices",
)
"""Names of Nova's tables that nobody may filter by."""

SORT_KEYS = {
    "access_ip_v4": "access_ip_v4",
    "access_ip_v6": "access_ip_v6",
    "auto_disk_config": "disk_config",
    "availability_zone": "zone",
    "config_drive": "config_drive",
    "created_at": "created_at",
    "display_description": "description",
    "display_name": "name",
    "host": "host",
    "hostname": "hostname",
    "image_ref": "image_id",
    "instance_type_id": "flavor",
    "kernel_id": "id",
    "key_name": "key_name",
    "launch_index": "launch_index",
    "launched_at": "launched_at",
    "locked_by": "locked",
    "node": "node",
    "power_state": "power_state",
    "progress": "progress",
    "project_id": "project_id",
    "ramdisk_id": "id",
    "root_device_name": "id",
    "task_state": "task_state",
    "terminated_at": "terminated_at",
    "updated_at": "updated_at",
    "user_id": "user_id",
    "uuid": "id",
    "vm_state": "vm_state",
    "locked": "locked",
}
"""The API's names of what servers are sorted by, and their columns."""

NOT_SORTED_BY = (
    "architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted", "deleted_at",
    "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on", "locked", "memory_mb",
    "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode",
)  # fmt: skip
"""Sort keys that are passed over: before 2.75, and ``locked`` before 2.73; refused since."""


def check_names(call: Call) -> None:
    """Refuse what the version does not know. Raises Invalid."""
    known = [name for name, one in FILTERS.items() if call.at_least(one.known)]
    queries.only(call, *known, *ELSEWHERE, *PAGING, *JOINED)
    for name, text in call.parameters:
        if name in EXPRESSIONS or (name in TAGS and call.at_least("2.26")):
            _check_expression(name, text)
    if call.allows(ALL_FILTERS):
        for name, _ in call.parameters:
            if name in JOINED or name.startswith("_"):
                raise Invalid(f"Invalid filter field: {name}.")
    if call.parameter("changes-before") is not None and usable(call, "changes-before"):
        queries.check_period(call)


def _check_expression(name: str, text: str) -> None:
    try:
        found = pattern(text)
    except Invalid:
        found = ""
    if not found:
        raise Invalid(
            f"Invalid input for query parameters {name}. Value: {text}. {text!r} is not a 'regex'", field=name
        )


def usable(call: Call, name: str) -> bool:
    """Whether the caller's filter of this name counts."""
    if name in ELSEWHERE:
        return call.at_least(ELSEWHERE[name]) or call.allows(ALL_FILTERS)
    one = FILTERS[name]
    return call.at_least(one.known) and (call.at_least(one.everybody) or call.allows(ALL_FILTERS))


def conditions(call: Call, *, passed_over: tuple[str, ...] = ()) -> Found:
    """What the filters of a request ask of servers' records. Raises Invalid."""
    found: Found = []
    for name, text in dict(call.parameters).items():
        if name in FILTERS and name not in passed_over and usable(call, name):
            found += FILTERS[name].read(text)
    return found


def check_sort(call: Call) -> list[str]:
    """The sort keys that are passed over in this request. Raises Invalid, Forbidden."""
    ignored = [] if call.at_least("2.75") else list(NOT_SORTED_BY)
    if call.at_least("2.73") and ignored:
        ignored.remove("locked")
    for name, key in call.parameters:
        if name != "sort_key" or key in ignored:
            continue
        if key not in SORT_KEYS or (key == "locked" and not call.at_least("2.73")):
            raise Invalid(
                f"Invalid input for query parameters sort_key. Value: {key}. {key!r} is not one of those known"
            )
        if key in ("host", "node") and not call.context.is_admin:
            raise Forbidden(f"Only administrators can sort servers by {key}")
    return ignored


def of_status(call: Call, wanted: list[str]) -> Found | None:
    """What is asked of rows that show one of these statuses; None where there is no such status. Raises Invalid, Forbidden.

    As in Nova this finds more than shows it: where a status needs no task, whatever is being done to a server does not count.
    """
    vm_states, tasks = lifecycle.states_of(wanted)
    if not vm_states:
        if call.at_least("2.38"):
            raise Invalid("Invalid status value")
        return None
    if vm_states == {lifecycle.DELETED} and not call.context.is_admin:
        raise Forbidden("Only administrators may list deleted instances")
    found: Found = [Condition("vm_state", "in", sorted(vm_states))]
    return found if tasks is None else [*found, Condition("task_state", "in", sorted(tasks))]
