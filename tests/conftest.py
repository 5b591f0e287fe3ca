"""What every test may ask for: the backend of anyio's plugin (trio with its mock clock unless a module says otherwise)."""

from typing import Any

import pytest
import trio.testing


@pytest.fixture
def anyio_backend() -> Any:
    """Virtual time: whoever waits is woken as soon as nothing else can run."""
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})
