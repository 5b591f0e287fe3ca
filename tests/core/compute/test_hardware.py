"""What flavor and image together may ask of a machine, and how its processors are spread; in Nova's words."""

import pytest

from minicloud.base.errors import Invalid
from minicloud.core.compute.hardware import Sockets, check, spread, watchdog


@pytest.mark.parametrize(
    ("vcpus", "specs", "image", "wanted"),
    [
        (1, {}, {}, (1, 1, 1)),
        (4, {}, {}, (4, 1, 1)),
        (8, {"hw:cpu_sockets": "2"}, {}, (2, 4, 1)),
        (8, {"hw:cpu_sockets": "2", "hw:cpu_threads": "2"}, {}, (2, 2, 2)),
        (8, {"hw:cpu_max_sockets": "2"}, {}, (2, 4, 1)),
        (8, {}, {"hw_cpu_max_sockets": "1", "hw_cpu_max_cores": "4"}, (1, 4, 2)),
        (8, {"hw:cpu_sockets": "2"}, {"hw_cpu_cores": "8"}, (1, 8, 1)),
        (8, {"hw:cpu_sockets": "8", "hw:cpu_max_sockets": "4"}, {}, (4, 2, 1)),
        (6, {"hw:cpu_cores": "4"}, {}, (6, 1, 1)),
    ],
)
def test_processors_are_spread(
    vcpus: int, specs: dict[str, str], image: dict[str, str], wanted: tuple[int, int, int]
) -> None:
    assert spread(vcpus, specs, image) == Sockets(*wanted)


@pytest.mark.parametrize(
    ("specs", "image", "why"),
    [
        (
            {"hw:cpu_max_sockets": "2"},
            {"hw_cpu_max_sockets": "4"},
            r"Image vCPU topology limits \(sockets=4, cores=0, threads=0\) exceeds the limits of the flavor "
            r"\(sockets=2, cores=0, threads=0\)",
        ),
        ({"hw:cpu_max_sockets": "2"}, {"hw_cpu_sockets": "4"}, "exceeds the limits of the flavor or image"),
        (
            {"hw:cpu_max_sockets": "1", "hw:cpu_max_cores": "2", "hw:cpu_max_threads": "1"},
            {},
            "Requested vCPU limits 1:2:1 are impossible to satisfy for vcpus count 4",
        ),
        ({"hw:cpu_cores": "two"}, {}, "Invalid flavor extra spec"),
        ({}, {"hw_cpu_cores": "two"}, "Invalid image metadata"),
        ({}, {"hw_disk_bus": "floppy"}, "Invalid image metadata. Error: Field value floppy is invalid"),
        ({"os:secure_boot": "required"}, {"os_secure_boot": "disabled"}, "os:secure_boot extra spec explicitly set"),
        ({"hw:vif_multiqueue_enabled": "yes"}, {"hw_vif_multiqueue_enabled": "no"}, "conflicting with image"),
        ({"hw:watchdog_action": "bark"}, {}, r"Provided watchdog action \(bark\) is not supported."),
    ],
)
def test_what_cannot_be_is_refused(specs: dict[str, str], image: dict[str, str], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        check("m1.x", 4, specs, image)


def test_the_image_has_the_last_word_on_the_watchdog() -> None:
    assert watchdog({}, {}) is None
    assert watchdog({"hw:watchdog_action": "reset"}, {}) == "reset"
    assert watchdog({"hw:watchdog_action": "reset"}, {"hw_watchdog_action": "disabled"}) is None
    check("m1.x", 4, {"hw:vif_multiqueue_enabled": "true"}, {"hw_vif_multiqueue_enabled": "1"})
