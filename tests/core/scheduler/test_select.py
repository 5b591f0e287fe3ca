"""Choosing a host: the order of hosts, the reasons for none, and the notes that explain both."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicloud.base.errors import Invalid, NoValidHost
from minicloud.base.trace import Recording, recording
from minicloud.core.compute import hosts
from minicloud.core.placement import allocations
from minicloud.core.placement.index import Placement
from minicloud.core.placement.inventories import Stocked
from minicloud.core.scheduler.hosts import KnownHosts
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.request import RequestSpec
from minicloud.core.scheduler.select import HostChoice, _best, select_hosts
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase
from tests.support.scheduling import a_host, a_request, a_state

pytestmark = pytest.mark.anyio

Choose = Callable[..., list[HostChoice]]


async def told(story: Callable[[Transaction, Choose], None]) -> Recording:
    """Run a story in one transaction with a scheduler; the notes it left."""
    placement, known, trace = Placement(), KnownHosts(), Recording()

    def run(tx: Transaction) -> None:
        def choose(
            request: RequestSpec, down: tuple[str, ...] = (), options: SchedulerOptions | None = None
        ) -> list[HostChoice]:
            return select_hosts(
                tx,
                placement,
                request,
                is_up=lambda host: host not in down,
                options=options or SchedulerOptions(),
                known=known,
            )

        story(tx, choose)

    with recording(trace):
        await InlineDatabase().write(run)
    return trace


def names(choices: list[HostChoice]) -> list[str]:
    return [choice.host for choice in choices]


async def test_servers_spread_and_what_is_to_be_claimed_comes_with_the_choice() -> None:
    def story(tx: Transaction, choose: Choose) -> None:
        for name in ("c", "a", "b"):
            a_host(tx, name)
        first = choose(a_request())
        assert names(first) == ["a", "b", "c"], "all alike: by name"
        assert first[0].allocations == {first[0].provider_id: {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}}
        placed = []
        for i in range(6):
            best = choose(a_request(server_id=f"s{i}"))[0]
            allocations.claim(tx, f"s{i}", "project", "user", best.allocations)
            placed.append(best.host)
        assert placed == ["a", "b", "c", "a", "b", "c"]

    trace = await told(story)
    assert trace.facts("placement_request")[0]["resources"] == {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}
    assert trace.facts("placement_candidates")[0] == {"count": 3}
    assert trace.facts("filter")[0] == {
        "filter": "ComputeFilter",
        "host": "a",
        "passed": True,
        "why": "is enabled and up",
    }
    assert [fact["host"] for fact in trace.facts("selected")] == ["a", "a", "b", "c", "a", "b", "c"]
    assert trace.facts("weigh")[0]["scores"] == {}, "all alike: nobody has a say"
    assert trace.facts("weigh")[6]["scores"].keys() == {"RAMWeigher", "CPUWeigher", "DiskWeigher"}


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.5]), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(1, 10),
)
def test_the_best_few_are_those_that_all_in_order_would_begin_with(each: list[tuple[float, int]], count: int) -> None:
    hosts = [a_state(host=f"h{i:02}", num_instances=servers) for i, (_, servers) in enumerate(each)]
    totals = [total for total, _ in each]
    whole = sorted(range(len(hosts)), key=lambda i: (-totals[i], hosts[i].num_instances, hosts[i].host))
    found = _best(hosts, totals, count)
    assert len(found) >= min(count, len(hosts))
    assert found == whole[: len(found)]


async def test_a_negative_multiplier_stacks() -> None:
    options = SchedulerOptions(ram_weight_multiplier=-1, cpu_weight_multiplier=0, disk_weight_multiplier=0)

    def story(tx: Transaction, choose: Choose) -> None:
        a_host(tx, "empty")
        busy = a_host(tx, "full")
        allocations.claim(tx, "one", "project", "user", {busy: {"MEMORY_MB": 1024}})
        assert names(choose(a_request(), options=options)) == ["full", "empty"]
        assert names(choose(a_request())) == ["empty", "full"]

    trace = await told(story)
    assert {fact["host"]: fact["scores"] for fact in trace.facts("weigh")[:2]} == {
        "full": {"RAMWeigher": 0.0},
        "empty": {"RAMWeigher": -1.0},
    }


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"memory_mb": 9000}, r"no host can give 9000 MEMORY_MB \(the best could give 7680\)"),
        ({"vcpus": 5}, r"no host can give 5 VCPU \(the best could give 4\)"),
        ({"availability_zone": "west"}, "AvailabilityZoneFilter refused 1 of 1 .one is in zone nova, not in west."),
        ({"force_host": "two"}, "there is no compute host two"),
        ({"ignored_hosts": ["one", "down", "disabled"]}, "left out: disabled, down, one"),
        ({"extra_specs": {"trait:HW_CPU_X86_VMX": "required"}}, "with the traits HW_CPU_X86_VMX"),
    ],
)
async def test_the_reason_for_none_is_told(asked: dict[str, Any], why: str) -> None:
    def story(tx: Transaction, choose: Choose) -> None:
        for name in ("one", "down", "disabled"):
            a_host(tx, name)
        service = hosts.service_of(tx, "disabled")
        assert service is not None
        hosts.change_service(tx, service, disabled=True, disabled_reason="maintenance")
        with pytest.raises(
            NoValidHost, match=rf"No valid host was found\. There are not enough hosts available: .*{why}"
        ):
            choose(a_request(**asked), down=("down",))

    await told(story)


async def test_each_filter_says_what_it_refused() -> None:
    def story(tx: Transaction, choose: Choose) -> None:
        a_host(tx, "dead")
        a_host(tx, "closed", zone="east")
        a_host(tx, "far", zone="west")
        service = hosts.service_of(tx, "closed")
        assert service is not None
        hosts.change_service(tx, service, disabled=True, disabled_reason="new disks")
        with pytest.raises(NoValidHost) as none:
            choose(a_request(availability_zone="east"), down=("dead",))
        assert none.value.message == (
            "No valid host was found. There are not enough hosts available: ComputeFilter refused 1 of 2 (dead is down: its "
            "compute service does not report); AvailabilityZoneFilter refused 1 of 1 (far is in zone west, not in east); "
            "not looked at: closed is disabled (new disks)."
        )
        hosts.change_service(tx, hosts.service_of(tx, "closed") or service, disabled=False, disabled_reason=None)
        assert names(choose(a_request(availability_zone="east"), down=("dead",))) == ["closed"]

    trace = await told(story)
    refused = [(fact["filter"], fact["host"]) for fact in trace.facts("filter") if not fact["passed"]]
    assert refused[:2] == [("ComputeFilter", "dead"), ("AvailabilityZoneFilter", "far")]
    assert trace.facts("prefilter")[0]["disabled"] == [{"host": "closed", "why": "new disks"}]


async def test_a_forced_host_is_asked_for_room_only() -> None:
    def story(tx: Transaction, choose: Choose) -> None:
        a_host(tx, "one")
        a_host(tx, "two")
        assert names(choose(a_request(force_host="two"), down=("two",))) == ["two"]
        with pytest.raises(NoValidHost, match="no host can give 9000 MEMORY_MB"):
            choose(a_request(force_host="two", memory_mb=9000))
        with pytest.raises(NoValidHost, match="ComputeFilter"):
            choose(a_request(requested_host="two"), down=("two",))
        assert names(choose(a_request(ignored_hosts=["one"]))) == ["two"]

    await told(story)


async def test_among_many_hosts_the_zone_is_found_and_servers_begin_elsewhere() -> None:
    options = SchedulerOptions(max_placement_results=10)

    def story(tx: Transaction, choose: Choose) -> None:
        for i in range(100):
            a_host(tx, f"h{i:02}", zone="last" if i == 99 else None)
        assert names(choose(a_request(availability_zone="last"), options=options)) == ["h99"]
        firsts = {choose(a_request(server_id=f"s{i}"), options=options)[0].host for i in range(40)}
        assert len(firsts) > 5, "servers look at different windows of the hosts"
        wide = choose(a_request(), down=("h00", "h01"))
        assert len(wide) == 3

    trace = await told(story)
    last = [fact for fact in trace.facts("filter") if fact["filter"] == "ComputeFilter"][-1]
    assert (last["filter"], last["passed"], last["rejected"]) == ("ComputeFilter", 98, 2)
    assert last["examples"][0] == {"host": "h00", "why": "is down: its compute service does not report"}


async def test_extra_specs_change_what_placement_is_asked_for() -> None:
    def story(tx: Transaction, choose: Choose) -> None:
        plain = a_host(tx, "plain")
        gpu = a_host(tx, "gpu", {"VCPU": Stocked(total=4), "VGPU": Stocked(total=1)}, having=["HW_CPU_X86_AVX2"])
        fast = a_request(extra_specs={"resources:VGPU": "1", "resources:MEMORY_MB": "0", "resources:DISK_GB": "0"})
        assert choose(fast)[0].allocations == {gpu: {"VCPU": 1, "VGPU": 1}}
        assert (
            choose(a_request(root_gb=0, memory_mb=0, extra_specs={"trait:HW_CPU_X86_AVX2": "forbidden"}))[0].provider_id
            == plain
        )
        small = a_request(root_gb=0, memory_mb=0, image_properties={"trait:HW_CPU_X86_AVX2": "required"})
        assert names(choose(small)) == ["gpu"]
        for bad in ({"resources:VGPU": "many"}, {"resources:NONSENSE": "1"}, {"trait:HW_CPU_X86_AVX2": "perhaps"}):
            with pytest.raises(Invalid):
                choose(a_request(extra_specs=bad))

    await told(story)


async def test_a_setting_that_names_no_filter_is_refused_in_words() -> None:
    def story(tx: Transaction, choose: Choose) -> None:
        a_host(tx, "one")
        with pytest.raises(Invalid, match="enabled_filters names OldFilter; there are Aggregate"):
            choose(a_request(), options=SchedulerOptions(enabled_filters=("OldFilter",)))

    await told(story)


def test_swap_is_rounded_up_to_the_disk() -> None:
    assert a_request(root_gb=10, ephemeral_gb=5, swap_mb=1025).disk_gb == 17
