"""The built guest image, shared between runs, and the small things its tests need."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from minicloud.base import tools
from minicloud.guest import GuestImage, build
from tests.guest.machines import Metadata


@pytest.fixture(scope="session")
def image_cache() -> Path:
    """Where the image is kept between runs: the place where ``minicloud`` keeps it, too."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "minicloud" / "guest"


@pytest.fixture(scope="session")
def image(image_cache: Path) -> GuestImage:
    """The guest image, built if it has to be."""

    async def built() -> GuestImage:
        return await build(image_cache, progress=lambda what, done, total: None)

    return anyio.run(built)


@pytest.fixture(scope="session")
def outside_tools(image: GuestImage, image_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with busybox, mkfs.vfat and mcopy out of the packages that the image was built from."""
    folder = tmp_path_factory.mktemp("outside")
    for name in ("busybox-static", "dosfstools", "mtools"):
        (deb,) = (image_cache / "debs").glob(f"{name}_*.deb")
        subprocess.run([tools.need("dpkg-deb"), "-x", str(deb), str(folder)], check=True)
    return folder


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[Metadata]:
    """A running metadata service."""
    with Metadata(tmp_path / "metadata.sock").served() as service:
        yield service


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A fresh ssh key; the public half lies beside it."""
    path = tmp_path / "id"
    subprocess.run(
        [tools.need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", str(path)], check=True
    )
    return path
