"""The script of faults: who meets which line, how often, when, and what is left of it."""

import anyio
import msgspec
import pytest

from minicloud.base import trace
from minicloud.base.errors import CloudError, ErrorFacts, Failed, Invalid, Unavailable
from minicloud.drivers.faults import Fault, FaultScript

pytestmark = pytest.mark.anyio

NO_MEMORY = ErrorFacts("unavailable", "no memory")


async def outcomes(script: FaultScript, calls: int, verb: str = "ensure_running", host: str = "h1") -> list[str]:
    found = []
    for _ in range(calls):
        try:
            found.append("ok" if await script.meet(verb, host, "m1") is None else "late")
        except CloudError as error:
            found.append(error.meaning)
    return found


async def test_the_next_calls_fail_and_the_ones_after_do_not() -> None:
    script = FaultScript([Fault(verb="ensure_running", host="h1", count=2, error=NO_MEMORY)])
    assert script.armed
    assert await outcomes(script, 1, host="h2") == ["ok"]
    assert await outcomes(script, 1, verb="ensure_gone") == ["ok"]
    assert await outcomes(script, 4) == ["unavailable", "unavailable", "ok", "ok"]
    assert not script.armed, "an empty script costs nothing"
    assert script.remaining() == []


async def test_some_calls_go_free_first() -> None:
    script = FaultScript([Fault(skip=2, count=1, error=NO_MEMORY)])
    assert await outcomes(script, 4) == ["ok", "ok", "unavailable", "ok"]


async def test_a_fault_without_a_count_stays() -> None:
    script = FaultScript([Fault(count=None, host="h?", error=NO_MEMORY)])
    assert await outcomes(script, 50) == ["unavailable"] * 50
    assert len(script.remaining()) == 1
    script.set([])
    assert await outcomes(script, 1) == ["ok"]


async def test_delays_are_waited_for() -> None:
    script = FaultScript([Fault(delay_s=3600.0)])
    began = anyio.current_time()
    assert await outcomes(script, 2) == ["ok", "ok"]
    assert anyio.current_time() - began == 3600.0


async def test_an_error_may_come_after_the_work() -> None:
    script = FaultScript([Fault(after=True, error=ErrorFacts("failed", "the answer was lost"))])
    late = await script.meet("ensure_running", "h1", "m1")
    assert isinstance(late, Failed)
    assert late.message == "the answer was lost"


async def test_a_script_comes_as_json_and_says_what_is_wrong_with_it() -> None:
    script = FaultScript()
    script.load(b'[{"verb": "ensure_*", "target": "m1", "error": {"meaning": "unavailable", "message": "no memory"}}]')
    recording = trace.Recording()
    with trace.recording(recording), pytest.raises(Unavailable, match="no memory"):
        await script.meet("ensure_disk", "h9", "m1")
    assert recording.facts("fault") == [
        {"verb": "ensure_disk", "host": "h9", "target": "m1", "delay_s": 0.0, "error": "no memory"}
    ]
    for text in (b"{}", b'[{"verbs": "x"}]', b"[", b'[{"count": "many"}]'):
        with pytest.raises(Invalid, match="fault script is not valid"):
            script.load(text)
    assert msgspec.json.encode(FaultScript([Fault()]).remaining())


async def test_equal_lines_are_as_many_faults() -> None:
    script = FaultScript([Fault(error=NO_MEMORY), Fault(error=NO_MEMORY)])
    assert await outcomes(script, 3) == ["unavailable", "unavailable", "ok"]


async def test_the_callers_list_is_not_used_up() -> None:
    fault = Fault(count=1, error=NO_MEMORY)
    script = FaultScript([fault])
    script.add(Fault(count=1, error=ErrorFacts("failed", "broken")))
    assert await outcomes(script, 3) == ["unavailable", "failed", "ok"]
    assert fault.count == 1
