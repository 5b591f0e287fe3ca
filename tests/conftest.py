"""What every test may ask for: the backend of anyio's plugin (trio with its mock clock unless a module says otherwise). And who
runs which tests, where several processes do (``-n auto --dist loadfile``)."""

from typing import Any

import pytest
import trio.testing


@pytest.fixture
def anyio_backend() -> Any:
    """Virtual time: whoever waits is woken as soon as nothing else can run."""
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    from tests.support.turns import processes

    return processes()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from tests.support.turns import Turns

    return Turns(config, log) if config.getvalue("dist") == "loadfile" else None
