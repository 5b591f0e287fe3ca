"""Weights: scaled between the worst and the best of the hosts at hand, times the multiplier."""

from minicloud.core.scheduler.weighers import all_weighers, weigh
from tests.support.scheduling import a_request, a_state


def test_scores_are_scaled_between_the_hosts_at_hand() -> None:
    hosts = [a_state(host=str(i), free_ram_mb=ram) for i, ram in enumerate((1000, 3000, 2000))]
    ram, cpu = all_weighers()["RAMWeigher"], all_weighers()["CPUWeigher"]
    assert weigh(hosts, a_request(), [(ram, 2.0), (cpu, 1.0)]) == [
        {"RAMWeigher": 0.0, "CPUWeigher": 0.0},
        {"RAMWeigher": 2.0, "CPUWeigher": 0.0},
        {"RAMWeigher": 1.0, "CPUWeigher": 0.0},
    ]
    assert weigh(hosts, a_request(), [(ram, -1.0), (cpu, 0.0)])[1] == {"RAMWeigher": -1.0}


def test_each_weigher_looks_at_its_own_resource() -> None:
    state = a_state(free_ram_mb=1, free_vcpus=2, free_disk_gb=3)
    assert {name: one.score(state, a_request()) for name, one in all_weighers().items()} == {
        "RAMWeigher": 1,
        "CPUWeigher": 2,
        "DiskWeigher": 3,
    }
