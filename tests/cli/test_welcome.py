"""What is printed when a cloud answers: whoever cannot boot the guest image is told so, and what to do."""

import time
from pathlib import Path

import pytest

from minicloud.cli.folder import Running
from minicloud.cli.serve import Up
from minicloud.cli.welcome import welcome


def lines(driver: str, guest_image: str = "auto") -> list[str]:
    settings = {"driver": driver, "guest_image": guest_image, "hosts": 1}
    running = Running(
        pid=1,
        url="http://127.0.0.1:5000",
        listen="127.0.0.1",
        port=5000,
        started_at=time.time(),
        version="1",
        settings=settings,
    )
    return welcome(
        Up(running=running, asked_driver=driver, passwords={"admin": "a", "demo": "d"}, seconds=0.5), "/data"
    )


def test_a_cloud_of_real_guests_without_the_guest_image_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert any("minicloud image build" in line for line in lines("qemu"))
    for told in (lines("fake"), lines("qemu", guest_image="none")):
        assert not any("minicloud image build" in line for line in told)
