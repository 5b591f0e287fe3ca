"""What QEMU says before it ends, as the reason that is kept."""

import pytest

from minicloud.drivers.hypervisor.qemu.ending import reason
from minicloud.drivers.hypervisor.qemu.qmp import Event


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (Event("SHUTDOWN", {"guest": True, "reason": "guest-reset"}), "guest-reset"),
        (Event("SHUTDOWN", {}), "unknown"),
        # QEMU's own end follows without another word, and is no crash; the other deeds of a watchdog are told by other events.
        (Event("WATCHDOG", {"action": "poweroff"}), "watchdog"),
        (Event("WATCHDOG", {"action": "reset"}), None),
        (Event("WATCHDOG", {"action": "pause"}), None),
        (Event("RESUME", {}), None),
    ],
)
def test_the_reason_of_an_end(event: Event, wanted: str | None) -> None:
    assert reason("m", event) == wanted
