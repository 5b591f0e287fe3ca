"""Weights: scaled between the worst and the best of the hosts at hand, times the multiplier."""

from typing import Any

import pytest

from minicloud.core.compute.details import Device
from minicloud.core.scheduler.company import Company
from minicloud.core.scheduler.hosts import Described, HostState
from minicloud.core.scheduler.occupancy import Occupancy
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.verdict import Weigher
from minicloud.core.scheduler.weighers import all_weighers, weigh
from minicloud.core.scheduler.workload import Workload
from tests.support.scheduling import a_request, a_state


def shares(hosts: list[HostState], weighers: list[tuple[Weigher, float]]) -> list[dict[str, float]]:
    """What each weigher says of each host; their sums are the totals."""
    found = weigh(hosts, a_request(), weighers)
    each = [found.shares(place) for place in range(len(hosts))]
    assert found.totals == [sum(one.values()) for one in each]
    return each


def test_scores_are_scaled_between_the_hosts_at_hand() -> None:
    hosts = [a_state(host=str(i), free_ram_mb=ram) for i, ram in enumerate((1000, 3000, 2000))]
    ram, cpu = all_weighers(SchedulerOptions())["RAMWeigher"], all_weighers(SchedulerOptions())["CPUWeigher"]
    assert shares(hosts, [(ram, 2.0), (cpu, 1.0)]) == [
        {"RAMWeigher": 0.0},
        {"RAMWeigher": 2.0},
        {"RAMWeigher": 1.0},
    ]
    assert shares(hosts, [(ram, -1.0), (cpu, 0.0)])[1] == {"RAMWeigher": -1.0}


def test_an_aggregate_sets_a_multiplier_for_its_hosts() -> None:
    own = Described(multipliers={"ram_weight_multiplier": -3.0})
    hosts = [a_state(free_ram_mb=1), a_state(free_ram_mb=2), a_state(free_ram_mb=2, described=own)]
    ram = all_weighers(SchedulerOptions())["RAMWeigher"]
    assert shares(hosts, [(ram, 1.0)]) == [{"RAMWeigher": 0.0}, {"RAMWeigher": 1.0}, {"RAMWeigher": -3.0}]


def test_no_work_is_the_zero_of_the_scale_of_work() -> None:
    io_ops = all_weighers(SchedulerOptions())["IoOpsWeigher"]
    hosts = [a_state(num_io_ops=1), a_state(num_io_ops=2)]
    assert shares(hosts, [(io_ops, -1.0)]) == [{"IoOpsWeigher": -0.5}, {"IoOpsWeigher": -1.0}]


CARDS = tuple(Device(address=f"0000:0{i}:00.0", vendor_id="8086", product_id="1520") for i in range(3))
OPTIONS = SchedulerOptions(
    image_props_weight_setting=(("os_distro", 2.0),),
    metrics_weight_setting=(("cpu.percent", -1.0), ("watts", 0.5)),
)


@pytest.mark.parametrize(
    ("name", "host", "request_", "score"),
    [
        ("RAMWeigher", {"free_ram_mb": 7}, {}, 7),
        ("CPUWeigher", {"free_vcpus": 7}, {}, 7),
        ("DiskWeigher", {"free_disk_gb": 7}, {}, 7),
        ("IoOpsWeigher", {"num_io_ops": 7}, {}, 7),
        ("NumInstancesWeigher", {"num_instances": 7}, {}, 7),
        ("HypervisorVersionWeigher", {"hypervisor_version": 7}, {}, 7),
        ("BuildFailureWeigher", {"failed_builds": 7}, {}, -7),
        ("PCIWeigher", {}, {}, 100),
        ("PCIWeigher", {"described": Described(devices=CARDS)}, {}, 97),
        (
            "PCIWeigher",
            {"described": Described(devices=CARDS), "occupancy": Occupancy(devices=frozenset([CARDS[0].address]))},
            {},
            98,
        ),
        ("ServerGroupSoftAffinityWeigher", {}, {"company": Company(policy="soft-affinity", members={"one": 2})}, 2),
        ("ServerGroupSoftAffinityWeigher", {}, {"company": Company(policy="affinity", members={"one": 2})}, 0),
        (
            "ServerGroupSoftAntiAffinityWeigher",
            {},
            {"company": Company(policy="soft-anti-affinity", members={"one": 2})},
            -2,
        ),
        ("ImageLocalityWeigher", {}, {"workload": Workload(same_image={"one": 3})}, 3),
        (
            "ImagePropertiesWeigher",
            {},
            {
                "image_properties": {"os_distro": "debian", "color": "red"},
                "workload": Workload(properties={"one": {("os_distro", "debian"): 3, ("color", "red"): 5}}),
            },
            6,
        ),
        ("MetricsWeigher", {"described": Described(metrics={"cpu.percent": 40, "watts": 100})}, {}, 10),
    ],
)
def test_each_weigher_looks_at_its_own_facts(
    name: str, host: dict[str, Any], request_: dict[str, Any], score: float
) -> None:
    one, request = all_weighers(OPTIONS)[name], a_request(**request_)
    assert one.score(a_state(**host), request) == score
    plain = a_state(host="plain", described=Described(metrics={"cpu.percent": 0, "watts": 0}))
    both = one.scores([a_state(**host), plain], request)
    alike = score == one.score(plain, request)
    assert both == [score, one.score(plain, request)] or (both is None and alike)


def test_every_weigher_has_a_setting() -> None:
    for one in all_weighers(OPTIONS).values():
        assert isinstance(getattr(OPTIONS, one.setting), float)
