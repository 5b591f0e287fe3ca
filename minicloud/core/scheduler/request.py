"""What the scheduler is asked: a server to place, as a struct, and what of it Placement has to find."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from minicloud.base.errors import Invalid
from minicloud.core.compute.special_hardware import demands
from minicloud.core.compute.topology import HYPERTHREADING, ISOLATE, REQUIRE, Wanted
from minicloud.core.placement.allocation_candidates import Amounts, Group
from minicloud.core.placement.names import CUSTOM_NAME, NAME
from minicloud.core.scheduler.company import Company
from minicloud.core.scheduler.pci import Asked
from minicloud.core.scheduler.workload import Workload

_RESOURCES = re.compile(r"resources([a-zA-Z0-9_-]{1,64})?:(.+)")
_TRAIT = re.compile(r"trait([a-zA-Z0-9_-]{1,64})?:(.+)")


class RequestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One server to place. Memory and swap in MiB, disks in GiB.

    ``force_host`` and ``force_node`` are an administrator's ``zone:host:node``: no filter is asked then.
    ``requested_host`` and ``requested_node`` restrict the choice, and filters are asked. ``num_instances`` is how many
    servers the same request makes, for whoever reads the trace. ``topology`` and ``devices`` follow from flavor and image;
    ``company`` and ``workload`` are what ``select`` finds in the tables.
    """

    server_id: str
    project_id: str
    user_id: str
    flavor_id: str
    flavor_name: str
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int = 0
    swap_mb: int = 0
    extra_specs: Mapping[str, str] = {}
    image_properties: Mapping[str, str] = {}
    availability_zone: str | None = None
    force_host: str | None = None
    force_node: str | None = None
    requested_host: str | None = None
    requested_node: str | None = None
    ignored_hosts: list[str] = []
    hints: Mapping[str, Any] = {}
    num_instances: int = 1
    image_id: str | None = None
    image_format: str = ""
    topology: Wanted | None = None
    devices: tuple[Asked, ...] = ()
    company: Company = Company()
    workload: Workload = Workload()

    @property
    def disk_gb(self) -> int:
        """All of its disks on the host; swap rounded up."""
        return self.root_gb + self.ephemeral_gb + -(-self.swap_mb // 1024)


def groups_of(request: RequestSpec) -> dict[str, Group]:
    """The groups that Placement is asked for: what the flavor takes, changed by ``resources:`` and ``trait:`` of its extra
    specs and the traits of the image, and what special hardware either asks for. Raises Invalid for what cannot be read."""
    resources: dict[str, Amounts] = {"": {**_cpus(request), "MEMORY_MB": request.memory_mb, "DISK_GB": request.disk_gb}}
    for suffix, name, value in _matching(_RESOURCES, request.extra_specs):
        if not value.isdigit():
            raise Invalid(f"The flavor's extra spec resources{suffix}:{name} should be a number, not {value!r}")
        resources.setdefault(suffix, {})[name] = int(value)
    special = demands(request.extra_specs, request.image_properties)
    for name, amount in special.resources.items():
        resources[""].setdefault(name, amount)
    required: dict[str, set[str]] = {"": set(special.traits)}
    forbidden: dict[str, set[str]] = {}
    if request.topology is not None and request.topology.threads == REQUIRE:
        required[""].add(HYPERTHREADING)
    if request.topology is not None and request.topology.threads == ISOLATE:
        forbidden[""] = {HYPERTHREADING}
    for specs in (request.extra_specs, request.image_properties):
        for suffix, name, value in _matching(_TRAIT, specs):
            if value not in ("required", "forbidden"):
                raise Invalid(f"trait{suffix}:{name} should be required or forbidden, not {value!r}")
            (required if value == "required" else forbidden).setdefault(suffix, set()).add(name)
    return {
        suffix: Group(
            resources={name: amount for name, amount in amounts.items() if amount},
            required=tuple(frozenset([name]) for name in sorted(required.get(suffix, ()))),
            forbidden=frozenset(forbidden.get(suffix, ())),
        )
        for suffix, amounts in resources.items()
        if suffix == "" or any(amounts.values())
    }


def _cpus(request: RequestSpec) -> Amounts:
    """Shared and pinned CPUs are two classes. What extra specs name by class stands in its place."""
    named = {key.partition(":")[2] for key in request.extra_specs if _RESOURCES.fullmatch(key)}
    if request.topology is None or not request.topology.pinned:
        return {} if "PCPU" in named else {"VCPU": request.vcpus}
    return {} if "PCPU" in named else {"VCPU": request.topology.shared, "PCPU": request.topology.pinned}


def isolates(request: RequestSpec) -> bool:
    """Whether suffixed groups must come from different providers."""
    return request.extra_specs.get("group_policy") == "isolate"


def _matching(pattern: re.Pattern[str], specs: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key, value in specs.items():
        match = pattern.fullmatch(key)
        if match is None:
            continue
        if not (NAME.match(match[2]) or CUSTOM_NAME.match(match[2])):
            raise Invalid(f"The extra spec {key} names no resource class or trait: {match[2]}")
        yield match[1] or "", match[2], str(value)
