"""Every filter, as upstream's guide describes it: who passes, who does not, and the numbers or words that are told."""

from typing import Any

import pytest

from minicloud.base.errors import Invalid
from minicloud.core.compute.details import Device
from minicloud.core.compute.topology import Wanted, WantedCell
from minicloud.core.scheduler.company import Company
from minicloud.core.scheduler.filters import all_filters
from minicloud.core.scheduler.hosts import Described
from minicloud.core.scheduler.options import DEFAULT_FILTERS, SchedulerOptions
from minicloud.core.scheduler.pci import Alias, Asked
from tests.support.scheduling import a_request, a_state


def in_aggregates(**values: str) -> Described:
    """A host whose aggregates say this; several values stand between commas."""
    return Described(
        values={key: frozenset([value]) for key, value in values.items()},
        metadata={key: frozenset(part.strip() for part in value.split(",")) for key, value in values.items()},
    )


CARD = Device(address="0000:01:00.0", vendor_id="8086", product_id="1520")
NIC = Asked(count=1, kinds=(Alias(name="nic", product_id="1520"),))
GROUP = {"policy": "anti-affinity", "members": {"one": 2, "two": 1}}
OPTIONS = SchedulerOptions(
    max_io_ops_per_host=2,
    max_instances_per_host=3,
    isolated_hosts=("safe",),
    isolated_images=("secret",),
    metrics_weight_setting=(("watts", 1.0),),
)

CASES: list[tuple[str, dict[str, Any], dict[str, Any], bool, str]] = [
    ("AllHostsFilter", {"enabled": False}, {}, True, "is a host"),
    ("AggregateImagePropertiesIsolation", {}, {"image_properties": {"os": "a"}}, True, "allow"),
    (
        "AggregateImagePropertiesIsolation",
        {"described": in_aggregates(os="linux, bsd")},
        {"image_properties": {"os": "bsd"}},
        True,
        "allow",
    ),
    ("AggregateImagePropertiesIsolation", {"described": in_aggregates(os="linux")}, {}, True, "allow"),
    (
        "AggregateImagePropertiesIsolation",
        {"described": in_aggregates(os="linux,bsd")},
        {"image_properties": {"os": "windows"}},
        False,
        "takes images with os bsd or linux, not windows",
    ),
    ("AggregateInstanceExtraSpecsFilter", {}, {}, True, "have what"),
    (
        "AggregateInstanceExtraSpecsFilter",
        {"described": in_aggregates(ssd="true")},
        {"extra_specs": {"aggregate_instance_extra_specs:ssd": "true", "hw:cpu_policy": "shared"}},
        True,
        "have what",
    ),
    (
        "AggregateInstanceExtraSpecsFilter",
        {"described": in_aggregates(cores="4,8")},
        {"extra_specs": {"cores": ">= 6"}},
        True,
        "have what",
    ),
    (
        "AggregateInstanceExtraSpecsFilter",
        {"described": in_aggregates(cores="4")},
        {"extra_specs": {"cores": ">= 6"}},
        False,
        "is in an aggregate with cores 4, not >= 6",
    ),
    ("AggregateInstanceExtraSpecsFilter", {}, {"extra_specs": {"ssd": "true"}}, False, "is in no aggregate with ssd"),
    ("AggregateIoOpsFilter", {"num_io_ops": 1}, {}, True, "has 1 servers being built or moved, of less than 2"),
    (
        "AggregateIoOpsFilter",
        {"num_io_ops": 1, "described": in_aggregates(max_io_ops_per_host="1")},
        {},
        False,
        "of less than 1",
    ),
    (
        "AggregateIoOpsFilter",
        {"num_io_ops": 1, "described": in_aggregates(max_io_ops_per_host="many")},
        {},
        True,
        "of less than 2",
    ),
    ("AggregateNumInstancesFilter", {"num_instances": 3}, {}, False, "has 3 servers, of 3 allowed"),
    (
        "AggregateNumInstancesFilter",
        {"num_instances": 3, "described": in_aggregates(max_instances_per_host="9")},
        {},
        True,
        "of 9 allowed",
    ),
    ("AggregateMultiTenancyIsolation", {}, {}, True, "open to all"),
    (
        "AggregateMultiTenancyIsolation",
        {"described": in_aggregates(filter_tenant_id="project, other")},
        {},
        True,
        "is kept for project project",
    ),
    (
        "AggregateMultiTenancyIsolation",
        {"described": in_aggregates(filter_tenant_id3="other")},
        {},
        False,
        "is kept for 1 other project",
    ),
    ("AggregateTypeAffinityFilter", {"described": in_aggregates(instance_type="m1.tiny,m1.big")}, {}, True, "takes"),
    (
        "AggregateTypeAffinityFilter",
        {"described": in_aggregates(instance_type="m1.big")},
        {},
        False,
        "takes flavor m1.big; m1.tiny is wanted",
    ),
    ("ComputeCapabilitiesFilter", {}, {"extra_specs": {"hw:x": "y", "quota:y": "z"}}, True, "no capabilities"),
    (
        "ComputeCapabilitiesFilter",
        {},
        {"extra_specs": {"capabilities:hypervisor_type": "s== QEMU", "color": "red"}},
        True,
        "has the capabilities",
    ),
    (
        "ComputeCapabilitiesFilter",
        {"described": Described(cpu_features=frozenset(["avx2"]))},
        {"extra_specs": {"capabilities:cpu_info:features": "<in> avx512"}},
        False,
        "and <in> avx512 is wanted",
    ),
    ("ComputeCapabilitiesFilter", {}, {"extra_specs": {"capabilities:none": "1"}}, False, "has no capability none"),
    ("ComputeCapabilitiesFilter", {}, {"extra_specs": {"vcpus_total": ">= 65"}}, False, "has vcpus_total 64"),
    ("DifferentHostFilter", {}, {}, True, "no servers"),
    ("DifferentHostFilter", {}, {"company": Company(different={"s": "two"})}, True, "none of the servers"),
    (
        "DifferentHostFilter",
        {},
        {"company": Company(different={"s": "one"})},
        False,
        "has server s, to be kept away from",
    ),
    ("SameHostFilter", {}, {"company": Company(same={"s": "one"})}, True, "has server s"),
    ("SameHostFilter", {}, {"company": Company(same={"s": "two"})}, False, "has none of the 1 servers to be near"),
    ("SameHostFilter", {}, {"company": Company(same={})}, False, "has none of the 0 servers"),
    ("ImagePropertiesFilter", {}, {}, True, "no kind"),
    ("ImagePropertiesFilter", {}, {"image_properties": {"hw_architecture": "amd64"}}, True, "is of the kind"),
    (
        "ImagePropertiesFilter",
        {},
        {"image_properties": {"hw_architecture": "aarch64"}},
        False,
        "is x86_64, and the image asks for aarch64",
    ),
    ("ImagePropertiesFilter", {}, {"image_properties": {"img_hv_type": "kvm"}}, True, "is of the kind"),
    ("ImagePropertiesFilter", {}, {"image_properties": {"img_hv_type": "xen"}}, False, "runs qemu"),
    ("ImagePropertiesFilter", {}, {"image_properties": {"hw_vm_mode": "exe"}}, False, "asks for exe"),
    (
        "ImagePropertiesFilter",
        {},
        {"image_properties": {"img_hv_type": "qemu", "img_hv_requested_version": ">=10.0"}},
        False,
        "runs version 9.0.0, and the image asks for >=10.0",
    ),
    ("IoOpsFilter", {"num_io_ops": 2}, {}, False, "has 2 servers being built or moved, of less than 2"),
    ("IsolatedHostsFilter", {}, {"image_id": "secret"}, False, "is no isolated host"),
    ("IsolatedHostsFilter", {"host": "safe"}, {"image_id": "secret"}, True, "may have"),
    ("IsolatedHostsFilter", {"host": "safe"}, {"image_id": "plain"}, False, "is an isolated host"),
    ("IsolatedHostsFilter", {}, {"image_id": None}, True, "may have"),
    ("JsonFilter", {}, {"hints": {"query": '[">=", "$free_ram_mb", 1024]'}}, True, "and the query"),
    ("JsonFilter", {}, {"hints": {"query": ['["and", ["=", "$host", "two"]]']}}, False, "and the query"),
    (
        "JsonFilter",
        {},
        {"hints": {"query": ["or", ["<", "$vcpus_used", 0], ["in", "$zone", "a"], ["not", False]]}},
        True,
        "",
    ),
    ("JsonFilter", {}, {"hints": {"query": [">", "$host", 5]}}, False, ""),
    ("MetricsFilter", {}, {}, False, "does not tell the metric watts"),
    ("MetricsFilter", {"described": Described(metrics={"watts": 1.0})}, {}, True, "tells all"),
    ("NumInstancesFilter", {"num_instances": 3}, {}, False, "has 3 of 3 servers"),
    ("NumInstancesFilter", {"num_instances": 2}, {}, True, "has 2 of 3 servers"),
    ("NUMATopologyFilter", {}, {}, True, "no NUMA"),
    (
        "NUMATopologyFilter",
        {},
        {"topology": Wanted(cells=(WantedCell(id=0, shared=(0,), memory_mb=1),))},
        False,
        "has no NUMA topology, and the server asks for one",
    ),
    ("PciPassthroughFilter", {}, {}, True, "no PCI"),
    ("PciPassthroughFilter", {}, {"devices": (NIC,)}, False, "wants 1 of nic, has 0 of 0 free"),
    ("PciPassthroughFilter", {"described": Described(devices=(CARD,))}, {"devices": (NIC,)}, True, "has 0000:01:00.0"),
    ("ServerGroupAntiAffinityFilter", {"host": "three"}, {"company": Company(**GROUP)}, True, "has 0 of the 1"),
    ("ServerGroupAntiAffinityFilter", {"host": "two"}, {"company": Company(**GROUP)}, False, "has 1 of the 1"),
    (
        "ServerGroupAntiAffinityFilter",
        {"host": "two"},
        {"company": Company(**GROUP, most_per_host=2)},
        True,
        "has 1 of the 2 servers of the group allowed there",
    ),
    ("ServerGroupAffinityFilter", {}, {"company": Company(policy="affinity")}, True, "has 0 of the group's 0"),
    (
        "ServerGroupAffinityFilter",
        {},
        {"company": Company(policy="affinity", members={"one": 1, "two": 1})},
        True,
        "has 1 of the group's 2 servers",
    ),
    (
        "ServerGroupAffinityFilter",
        {},
        {"company": Company(policy="affinity", members={"two": 1})},
        False,
        "has none of the group's servers, which are on two",
    ),
    ("SimpleCIDRAffinityFilter", {}, {}, True, "no address"),
    ("SimpleCIDRAffinityFilter", {}, {"hints": {"build_near_host_ip": "127.0.0.9"}}, True, "in 127.0.0.0/24"),
    (
        "SimpleCIDRAffinityFilter",
        {},
        {"hints": {"build_near_host_ip": "10.0.0.9", "cidr": "/8"}},
        False,
        "has the address 127.0.0.1, outside of 10.0.0.0/8",
    ),
]


@pytest.mark.parametrize(("name", "host", "asked", "passed", "why"), CASES)
def test_a_filter_says_whether_and_why(
    name: str, host: dict[str, Any], asked: dict[str, Any], passed: bool, why: str
) -> None:
    verdict = all_filters(OPTIONS)[name].passes(a_state(**host), a_request(**asked))
    assert (verdict.passed, why in verdict.why) == (passed, True), verdict


def test_every_filter_is_tried_here_and_the_default_ones_exist() -> None:
    known = set(all_filters(OPTIONS))
    assert set(DEFAULT_FILTERS) <= known
    assert known - {case[0] for case in CASES} == {"AvailabilityZoneFilter", "ComputeFilter"}


@pytest.mark.parametrize(
    ("name", "hints"),
    [
        ("JsonFilter", {"query": "["}),
        ("JsonFilter", {"query": ["near", 1, 2]}),
        ("JsonFilter", {"query": {"a": 1}}),
        ("SimpleCIDRAffinityFilter", {"build_near_host_ip": "nowhere"}),
    ],
)
def test_hints_that_make_no_sense_are_refused(name: str, hints: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        all_filters(OPTIONS)[name].passes(a_state(), a_request(hints=hints))
