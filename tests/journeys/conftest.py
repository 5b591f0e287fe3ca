"""What stories need: the built guest image and where it is kept."""

import os
from pathlib import Path

import anyio
import pytest

from minicloud.guest import GuestImage, build


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where this user's minicloud keeps what can be built again."""
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) if home else Path.home() / ".cache"


@pytest.fixture(scope="session")
def image(cache: Path) -> GuestImage:
    """The guest image, built if it has to be."""

    async def built() -> GuestImage:
        return await build(cache / "minicloud" / "guest", progress=lambda what, done, total: None)

    return anyio.run(built)
