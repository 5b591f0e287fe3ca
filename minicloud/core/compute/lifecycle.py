"""The lifecycle of a server as one table: each action, the states it is allowed in, the task it claims, the saga it starts.

From it come the 409s, the status that clients read, the documentation page, and a test that walks every action from every
state. States and messages are Nova's (nova 34.0.0: compute/api.py, api/openstack/common.py).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from minicloud.base.errors import Conflict

ACTIVE = "active"
BUILDING = "building"
PAUSED = "paused"
SUSPENDED = "suspended"
STOPPED = "stopped"
RESCUED = "rescued"
RESIZED = "resized"
SOFT_DELETED = "soft-delete"
DELETED = "deleted"
ERROR = "error"
SHELVED = "shelved"
SHELVED_OFFLOADED = "shelved_offloaded"

VM_STATES = (
    ACTIVE, BUILDING, PAUSED, SUSPENDED, STOPPED, RESCUED, RESIZED, SOFT_DELETED, DELETED, ERROR, SHELVED, SHELVED_OFFLOADED,
)  # fmt: skip

NOSTATE, RUNNING, POWER_PAUSED, SHUTDOWN, CRASHED, POWER_SUSPENDED = 0, 1, 3, 4, 6, 7
"""Power states by Nova's numbers."""

POWER_NUMBERS = {
    "running": RUNNING,
    "paused": POWER_PAUSED,
    "shutdown": SHUTDOWN,
    "crashed": CRASHED,
    "suspended": POWER_SUSPENDED,
}
"""What a hypervisor says, as Nova's numbers."""

REBOOTABLE_TASKS = frozenset(
    {
        None, "rebooting", "reboot_pending", "reboot_started", "rebooting_hard", "resuming", "unpausing", "pausing", "suspending",
    }
)  # fmt: skip


BESIDE_MIGRATIONS = frozenset(
    {
        "delete", "soft_delete", "stop", "pause", "unpause", "changePassword", "trigger_crash_dump", "createImage", "createBackup",
        "attach_interface", "detach_interface", "attach_volume", "detach_volume",
    }
)  # fmt: skip
"""Actions that a server can be taken for while a volume of it is being migrated: they start no machine from what its records say."""


class ServerAction(msgspec.Struct, frozen=True, kw_only=True):
    """One row. ``vm_states`` or ``tasks`` None means any. ``word`` is how messages name it, ``recorded`` how the list of actions
    does; ``event`` is the first event of its record."""

    name: str
    word: str
    recorded: str = ""
    vm_states: frozenset[str] | None
    tasks: frozenset[str | None] | None = frozenset({None})
    claims: str | None
    saga: str
    event: str
    when_locked: bool = False
    needs_host: bool = True


VOLUMED = (ACTIVE, PAUSED, STOPPED, RESIZED, SOFT_DELETED, SHELVED, SHELVED_OFFLOADED)
"""In which volumes may come to a server and go."""


def _row(
    name: str, vm_states: tuple[str, ...] | None, claims: str | None, saga: str, event: str, **more: Any
) -> ServerAction:
    states = None if vm_states is None else frozenset(vm_states)
    word = more.pop("word", name)
    recorded = more.pop("recorded", word)
    return ServerAction(
        name=name, word=word, recorded=recorded, vm_states=states, claims=claims, saga=saga, event=event, **more
    )


TABLE = {
    row.name: row
    for row in (
        _row("delete", None, "deleting", "DeleteServer", "compute_terminate_instance", tasks=None, needs_host=False),
        _row("soft_delete", None, "soft-deleting", "SoftDeleteServer", "compute_soft_delete_instance", word="delete", tasks=None),
        _row("restore", (SOFT_DELETED,), "restoring", "RestoreServer", "compute_restore_instance"),
        _row("start", (STOPPED,), "powering-on", "StartServer", "compute_start_instance"),
        _row("stop", (ACTIVE, ERROR), "powering-off", "StopServer", "compute_stop_instance"),
        _row("reboot_soft", (ACTIVE,), "rebooting", "RebootServer", "compute_reboot_instance", word="reboot"),
        _row(
            "reboot_hard",
            (ACTIVE, STOPPED, PAUSED, SUSPENDED, ERROR),
            "rebooting_hard",
            "RebootServer",
            "compute_reboot_instance",
            word="reboot",
            tasks=REBOOTABLE_TASKS,
        ),
        _row("pause", (ACTIVE,), "pausing", "PauseServer", "compute_pause_instance"),
        _row("unpause", (PAUSED,), "unpausing", "UnpauseServer", "compute_unpause_instance"),
        _row("suspend", (ACTIVE,), "suspending", "SuspendServer", "compute_suspend_instance"),
        _row("rebuild", (ACTIVE, STOPPED, ERROR), "rebuilding", "RebuildServer", "compute_rebuild_instance"),
        _row("changePassword", (ACTIVE,), "updating_password", "ChangePassword", "compute_set_admin_password"),
        _row(
            "trigger_crash_dump",
            (ACTIVE, PAUSED, RESCUED, RESIZED, ERROR),
            None,
            "TriggerCrashDump",
            "compute_trigger_crash_dump",
        ),
        _row("attach_interface", (ACTIVE, PAUSED, STOPPED), None, "AttachInterface", "compute_attach_interface"),
        _row("attach_volume", VOLUMED, None, "AttachVolume", "compute_attach_volume", needs_host=False),
        _row("detach_volume", VOLUMED, None, "DetachVolume", "compute_detach_volume", needs_host=False),
        _row("detach_interface", (ACTIVE, PAUSED, STOPPED), None, "DetachInterface", "compute_detach_interface"),
        _row(
            "createImage",
            (ACTIVE, STOPPED, PAUSED, SUSPENDED),
            "image_snapshot_pending",
            "CreateImage",
            "compute_snapshot_instance",
            when_locked=True,
            needs_host=False,
        ),
        _row(
            "createBackup",
            (ACTIVE, STOPPED, PAUSED, SUSPENDED),
            "image_backup",
            "CreateImage",
            "compute_backup_instance",
            when_locked=True,
            needs_host=False,
        ),
        _row("resume", (SUSPENDED,), "resuming", "ResumeServer", "compute_resume_instance"),
        _row("resize", (ACTIVE, STOPPED), "resize_prep", "ResizeServer", "conductor_migrate_server"),
        _row("migrate", (ACTIVE, STOPPED), "resize_prep", "ResizeServer", "conductor_migrate_server"),
        _row("confirm_resize", (RESIZED,), None, "ConfirmResize", "compute_confirm_resize", word="confirmResize"),
        _row("revert_resize", (RESIZED,), "resize_reverting", "RevertResize", "compute_revert_resize", word="revertResize"),
        _row(
            "live_migrate",
            (ACTIVE, PAUSED),
            "migrating",
            "LiveMigrateServer",
            "conductor_live_migrate_instance",
            word="os-migrateLive",
            recorded="live-migration",
        ),
        _row("evacuate", (ACTIVE, STOPPED, ERROR), "rebuilding", "EvacuateServer", "rebuild_server", tasks=None, when_locked=True),
        _row("rescue", (ACTIVE, STOPPED, ERROR), "rescuing", "RescueServer", "compute_rescue_instance"),
        _row("unrescue", (RESCUED,), "unrescuing", "UnrescueServer", "compute_unrescue_instance"),
        _row("shelve", (ACTIVE, STOPPED, PAUSED, SUSPENDED), "shelving", "ShelveServer", "compute_shelve_instance"),
        _row("shelve_offload", (SHELVED,), "shelving_offloading", "OffloadServer", "compute_shelve_offload_instance", word="shelveOffload"),
        _row("unshelve", (SHELVED, SHELVED_OFFLOADED), "unshelving", "UnshelveServer", "schedule_instances", needs_host=False),
    )
}  # fmt: skip
"""Every action on a server."""


def check(action: ServerAction, server_id: str, vm_state: str, task_state: str | None) -> None:
    """Raises Conflict, in Nova's words, where the table does not allow the action."""
    for attribute, state, allowed in (
        ("vm_state", vm_state, action.vm_states),
        ("task_state", task_state, action.tasks),
    ):
        if allowed is not None and state not in allowed:
            raise Conflict(
                f"Cannot '{action.word}' instance {server_id} while it is in {attribute} {state}",
                kind="state",
                action=action.name,
                attribute=attribute,
                state=state,
            )


_RESIZING = dict.fromkeys(("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"), "RESIZE")
_REBUILDING = dict.fromkeys(("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"), "REBUILD")

STATUSES: dict[str, tuple[str, dict[str, str]]] = {
    ACTIVE: (
        "ACTIVE",
        {
            "rebooting": "REBOOT",
            "reboot_pending": "REBOOT",
            "reboot_started": "REBOOT",
            "rebooting_hard": "HARD_REBOOT",
            "reboot_pending_hard": "HARD_REBOOT",
            "reboot_started_hard": "HARD_REBOOT",
            "updating_password": "PASSWORD",
            "migrating": "MIGRATING",
            **_REBUILDING,
            **_RESIZING,
        },
    ),
    BUILDING: ("BUILD", {}),
    STOPPED: ("SHUTOFF", {**_RESIZING, **_REBUILDING}),
    RESIZED: ("VERIFY_RESIZE", {"resize_reverting": "REVERT_RESIZE"}),
    PAUSED: ("PAUSED", {"migrating": "MIGRATING"}),
    SUSPENDED: ("SUSPENDED", {}),
    RESCUED: ("RESCUE", {}),
    ERROR: ("ERROR", _REBUILDING),
    DELETED: ("DELETED", {}),
    SOFT_DELETED: ("SOFT_DELETED", {}),
    SHELVED: ("SHELVED", {}),
    SHELVED_OFFLOADED: ("SHELVED_OFFLOADED", {}),
}
"""The status of each vm_state, and where a task in progress shows instead."""


def status(vm_state: str, task_state: str | None) -> str:
    """The status that clients read."""
    plain, by_task = STATUSES[vm_state]
    return plain if task_state is None else by_task.get(task_state, plain)


def states_of(statuses: Sequence[str]) -> tuple[set[str], set[str] | None]:
    """How a status filter finds rows, as Nova has it: the vm_states, and the task_states; None where tasks do not count."""
    wanted = {status.upper() for status in statuses}
    vm_states: set[str] = set()
    tasks: set[str] = set()
    any_task = False
    for vm_state, (plain, by_task) in STATUSES.items():
        found = {task for task, shown in by_task.items() if shown in wanted}
        if plain in wanted or found:
            vm_states.add(vm_state)
            tasks |= found
            any_task |= plain in wanted
    return vm_states, None if any_task else tasks
