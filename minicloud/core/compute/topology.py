"""The NUMA topology that a server asks for, out of its flavor's extra specs and its image's properties; pure.

A server has one when it asks for cells, for pages of a size, or for CPUs of its own. All messages are Nova's.
"""

import re
from collections.abc import Mapping

import msgspec

from minicloud.base.errors import Forbidden, Invalid
from minicloud.core.compute.pages import page_request

SHARED, DEDICATED, MIXED = "shared", "dedicated", "mixed"
PREFER, ISOLATE, REQUIRE = "prefer", "isolate", "require"
HYPERTHREADING = "HW_CPU_HYPERTHREADING"


class WantedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of the guest. ``shared`` and ``pinned`` are the numbers of its virtual CPUs; memory in MiB."""

    id: int
    shared: tuple[int, ...] = ()
    pinned: tuple[int, ...] = ()
    memory_mb: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The guest's cells. ``page``: a size in KiB, ``small``, ``large``, ``any``, or empty for ordinary memory.

    ``threads``: whether pinned CPUs may, must or must not share cores (prefer, require, isolate). ``emulator``: one CPU more
    for the emulator alone.
    """

    cells: tuple[WantedCell, ...]
    page: str = ""
    threads: str = ""
    emulator: bool = False

    @property
    def pinned(self) -> int:
        """Host CPUs that the server has for itself."""
        return sum(len(cell.pinned) for cell in self.cells) + self.emulator

    @property
    def shared(self) -> int:
        """Virtual CPUs that share host CPUs."""
        return sum(len(cell.shared) for cell in self.cells)


def wanted_topology(
    vcpus: int, memory_mb: int, extra_specs: Mapping[str, str], image_properties: Mapping[str, str]
) -> Wanted | None:
    """What is asked for; None where the server may sit anywhere on its host. Raises Invalid, Forbidden in Nova's words."""
    asked = _Asked(extra_specs, image_properties)
    policy, threads = _policy(asked), _threads(asked)
    emulator = extra_specs.get("hw:emulator_threads_policy")
    if emulator not in (None, "isolate", "share"):
        raise Invalid(
            f"CPU emulator threads option requested is invalid, given: '{emulator}', available: 'isolate, share'."
        )
    policy = _explicit(extra_specs, vcpus, policy, isolated=emulator == "isolate")
    hyperthreading = extra_specs.get(f"trait:{HYPERTHREADING}") or image_properties.get(f"trait:{HYPERTHREADING}")
    if threads and hyperthreading:
        raise Invalid(
            "It is not possible to use the 'trait:HW_CPU_HYPERTHREADING' extra spec in combination with the "
            "'hw:cpu_thread_policy' extra spec or 'hw_cpu_thread_policy' image metadata property; use one or the other"
        )
    threads = {"forbidden": ISOLATE, "required": REQUIRE}.get(hyperthreading or "", threads)
    pinned = _pinned(extra_specs, vcpus, policy)
    if policy in (SHARED, ""):
        if threads and not hyperthreading:
            raise Invalid("Cannot set cpu thread pinning policy in a non dedicated cpu pinning policy")
        if emulator == "isolate":
            raise Invalid("An isolated CPU emulator threads option requires a dedicated CPU policy option.")
    cells = _count(asked)
    page = page_request(extra_specs.get("hw:mem_page_size"), image_properties.get("hw_mem_page_size"))
    if not cells and not page and policy not in (DEDICATED, MIXED):
        return None
    return Wanted(
        cells=_cells(asked, cells or 1, vcpus, memory_mb, pinned),
        page=page,
        threads=threads if policy in (DEDICATED, MIXED) else "",
        emulator=emulator == "isolate",
    )


def cpu_numbers(text: str) -> frozenset[int]:
    """``0-3,^2,8`` as numbers. Raises Invalid."""
    chosen: set[int] = set()
    left_out: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\^?)(\d{1,6})(?:-(\d{1,6}))?", part.strip())
        if match is None or (match[3] and int(match[3]) < int(match[2])):
            raise Invalid(f"Invalid inclusion expression {part.strip()!r}")
        numbers = range(int(match[2]), int(match[3] or match[2]) + 1)
        (left_out if match[1] else chosen).update(numbers)
    return frozenset(chosen - left_out)


class _Asked:
    """A setting of the same name in the flavor (``hw:name``) and in the image (``hw_name``)."""

    def __init__(self, specs: Mapping[str, str], properties: Mapping[str, str]) -> None:
        self.specs = specs
        self.properties = properties

    def both(self, name: str) -> tuple[str, str]:
        return self.specs.get(f"hw:{name}", ""), self.properties.get(f"hw_{name}", "")

    def only_one(self, name: str) -> str:
        """The setting, that the image may not have where the flavor has it."""
        flavor, image = self.both(name)
        if flavor and image:
            raise Forbidden(
                f"Image property 'hw_{name}' is not permitted to override NUMA configuration set against the flavor"
            )
        return flavor or image


def _policy(asked: _Asked) -> str:
    flavor, image = asked.both("cpu_policy")
    for source, value in (("flavor extra specs", flavor), ("image properties", image)):
        if value not in ("", SHARED, DEDICATED, MIXED):
            raise Invalid(
                f"CPU policy requested from '{source}' is invalid, given: '{value}', "
                f"available: '{(DEDICATED, SHARED, MIXED)}'."
            )
    conflict = (flavor == MIXED and image == DEDICATED) or (flavor == SHARED and image in (MIXED, DEDICATED))
    if conflict:
        raise Forbidden(
            "Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against the flavor"
        )
    return flavor or image


def _threads(asked: _Asked) -> str:
    flavor, image = asked.both("cpu_thread_policy")
    for source, value in (("flavor extra specs", flavor), ("image properties", image)):
        if value not in ("", PREFER, ISOLATE, REQUIRE):
            raise Invalid(
                f"CPU thread policy requested from '{source}' is invalid, given: '{value}', "
                f"available: '{(PREFER, ISOLATE, REQUIRE)}'."
            )
    if flavor in ("", PREFER):
        return image or flavor
    if image and image != flavor:
        raise Forbidden(
            "Image property 'hw_cpu_thread_policy' is not permitted to override CPU thread pinning policy set against "
            "the flavor"
        )
    return flavor


def _explicit(specs: Mapping[str, str], vcpus: int, policy: str, *, isolated: bool) -> str:
    """The policy, where the extra specs ask for VCPU or PCPU by name."""
    shared, dedicated = _amount(specs, "VCPU"), _amount(specs, "PCPU")
    if policy and (shared or dedicated):
        raise Invalid(
            "It is not possible to use the 'resources:VCPU' or 'resources:PCPU' extra specs in combination with the "
            "'hw:cpu_policy' extra spec or 'hw_cpu_policy' image metadata property; use one or the other"
        )
    if shared and dedicated:
        raise Invalid(
            "It is not possible to specify both 'resources:VCPU' and 'resources:PCPU' extra specs; use one or the other"
        )
    if dedicated and isolated and dedicated != vcpus + 1:
        raise Invalid(
            "You have requested 'hw:emulator_threads_policy=isolate' but have not requested sufficient PCPUs to handle "
            "this policy; you must allocate exactly flavor.vcpus + 1 PCPUs."
        )
    if dedicated and not isolated and dedicated != vcpus:
        raise Invalid(
            "There is a mismatch between the number of PCPUs requested via 'resourcesNN:PCPU' and the flavor); you must "
            "allocate exactly flavor.vcpus PCPUs"
        )
    return DEDICATED if dedicated else SHARED if shared else policy


def _amount(specs: Mapping[str, str], name: str) -> int:
    found = (value for key, value in specs.items() if re.fullmatch(rf"resources[a-zA-Z0-9_-]{{0,64}}:{name}", key))
    return sum(int(value) for value in found if value.isdigit())


def _pinned(specs: Mapping[str, str], vcpus: int, policy: str) -> frozenset[int]:
    """Which virtual CPUs have host CPUs of their own."""
    everything = frozenset(range(vcpus))
    mask = specs.get("hw:cpu_dedicated_mask")
    if mask is not None and policy != MIXED:
        raise Invalid("Cannot specify 'hw:cpu_dedicated_mask' without the 'mixed' policy.")
    if policy == DEDICATED:
        return everything
    if policy != MIXED:
        return frozenset()
    if mask is None:
        raise Invalid(
            "Dedicated CPU set can be specified from either 'hw:cpu_dedicated_mask' or 'hw:cpu_realtime_mask' when using "
            "'mixed' CPU policy. 'hw:cpu_dedicated_mask' and 'hw:cpu_realtime_mask' can not be specified at the same "
            "time, or be specified with none of them."
        )
    chosen = everything - cpu_numbers(mask[1:]) if mask.startswith("^") else cpu_numbers(mask)
    if not chosen or not chosen < everything:
        raise Invalid(
            "Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See 'hw:cpu_dedicated_mask'."
        )
    return chosen


def _count(asked: _Asked) -> int:
    text = asked.only_one("numa_nodes")
    if text and (not text.isdigit() or int(text) < 1):
        raise Invalid(f"The property 'numa_nodes' cannot be '{text}'. It must be a number greater than 0")
    return int(text) if text else 0


def _cells(asked: _Asked, count: int, vcpus: int, memory_mb: int, pinned: frozenset[int]) -> tuple[WantedCell, ...]:
    """The cells as they are described one by one, or all alike."""
    by_cell: list[tuple[frozenset[int], int]] = []
    cpus = [asked.only_one(f"numa_cpus.{cell}") for cell in range(vcpus)]
    memory = [asked.only_one(f"numa_mem.{cell}") for cell in range(vcpus)]
    if not any(cpus) and not any(memory):
        if vcpus % count or memory_mb % count:
            raise Invalid(
                "Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. Explicit assignment "
                "of CPUs and memory to nodes is required"
            )
        each = vcpus // count
        by_cell = [(frozenset(range(i * each, (i + 1) * each)), memory_mb // count) for i in range(count)]
    else:
        described = [(one, other) for one, other in zip(cpus, memory, strict=True) if one or other]
        if len(described) != count or not all(one and other.isdigit() for one, other in described):
            raise Invalid("CPU and memory allocation must be provided for all NUMA nodes")
        by_cell = [(cpu_numbers(one), int(other)) for one, other in described]
        _check_described(by_cell, vcpus, memory_mb)
    return tuple(
        WantedCell(
            id=i, shared=tuple(sorted(numbers - pinned)), pinned=tuple(sorted(numbers & pinned)), memory_mb=memory_mb
        )
        for i, (numbers, memory_mb) in enumerate(by_cell)
    )


def _check_described(by_cell: list[tuple[frozenset[int], int]], vcpus: int, memory_mb: int) -> None:
    left = set(range(vcpus))
    for numbers, _ in by_cell:
        for number in sorted(numbers):
            if number >= vcpus:
                raise Invalid(f"CPU number {number} is larger than max {vcpus - 1}")
            if number not in left:
                raise Invalid(f"CPU number {number} is assigned to two nodes")
            left.remove(number)
    if left:
        raise Invalid(f"CPU number {left} is not assigned to any node")
    total = sum(memory for _, memory in by_cell)
    if total != memory_mb:
        raise Invalid(f"{total} MB of memory assigned, but expected {memory_mb} MB")
