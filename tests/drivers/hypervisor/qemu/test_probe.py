"""What the host can do: asked once per boot, believed only when a guest really ran."""

import shutil
from pathlib import Path

import pytest

from minicloud.base import trace
from minicloud.base.errors import Unavailable
from minicloud.drivers.hypervisor.qemu import probe
from minicloud.drivers.hypervisor.qemu.probe import Abilities

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_boot_sector_runs_under_tcg_and_tells_so() -> None:
    works, why, seconds = await probe.try_accelerator("tcg", 60.0)
    assert works, why
    assert seconds < 60


async def test_an_accelerator_that_is_not_there_is_refused_in_qemus_words() -> None:
    works, why, _ = await probe.try_accelerator("no-such-thing", 60.0)
    assert not works
    assert "no-such-thing" in why


async def test_a_guest_that_hangs_is_ended() -> None:
    works, why, seconds = await probe.try_accelerator("tcg", 0.001)
    assert not works
    assert "did not end in time" in why
    assert seconds < 30


async def test_answers_are_kept_until_something_changes(tmp_path: Path) -> None:
    cache, made = tmp_path / "new" / "probe.json", tmp_path / "kvm"
    device = str(made)
    recording = trace.Recording()
    with trace.recording(recording):
        first = await probe.abilities(cache, device=device)
        assert first.version > 4_000_000
        assert (first.kvm, first.why) == (False, f"there is no {device}")
        assert await probe.abilities(cache, device=device) == first
        assert recording.words().count("probe") == 1
        made.touch(mode=0o600)
        second = await probe.abilities(cache, device=device)
        assert recording.words().count("probe") == 2, "a device that appeared is asked"
        assert await probe.abilities(cache, device=device) == second
        cache.write_bytes(b"rubbish")
        await probe.abilities(cache, device=None)
        assert recording.words().count("probe") == 3
        assert cache.read_bytes() == b"rubbish", "what was not asked is not kept"
    assert cache.stat().st_mode & 0o777 == 0o600


def test_the_setting_decides_within_what_works() -> None:
    able = Abilities(version=7002000, sandbox=True, kvm=True, why="a boot sector ran under kvm")
    unable = Abilities(version=7002000, sandbox=True, kvm=False, why="there is no /dev/kvm")
    assert [probe.choose("auto", able), probe.choose("auto", unable)] == ["kvm", "tcg"]
    assert [probe.choose("kvm", able), probe.choose("tcg", able)] == ["kvm", "tcg"]
    with pytest.raises(Unavailable, match="KVM was demanded but does not work here: there is no /dev/kvm"):
        probe.choose("kvm", unable)
