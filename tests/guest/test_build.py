"""Building: the same bytes twice, by anyone; once for all who ask at the same time; nothing half-made."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import anyio
import pytest

from minicloud.base import tools
from minicloud.base.errors import Unavailable
from minicloud.guest import GuestImage, build, cached
from minicloud.guest.build import kept
from minicloud.guest.image import Current, complete, image_of, read_current, write_current
from minicloud.guest.packages import INSIDE, OUTSIDE, Apt
from tests.support.everyone import python_path

NOBODY = 65534

pytestmark = [pytest.mark.anyio, pytest.mark.qemu]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _silent(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total


def _sums(image: GuestImage) -> list[str]:
    return [
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (image.kernel, image.ramdisk, image.boot_ramdisk, image.root, image.disk)
    ]


@pytest.fixture
def fresh_cache(image: GuestImage, image_cache: Path, tmp_path: Path) -> Path:
    """A cache that has the packages and nothing else."""
    cache = tmp_path / "cache"
    shutil.copytree(image_cache / "debs", cache / "debs")
    current = read_current(image_cache)
    assert current is not None
    write_current(cache, current)
    return cache


async def test_a_second_call_runs_nothing(image: GuestImage, image_cache: Path) -> None:
    said: list[str] = []
    again = await build(image_cache, progress=lambda what, done, total: said.append(what))
    assert again == image
    assert said == []


async def test_two_builds_at_once_make_one_image_with_the_same_bytes(image: GuestImage, fresh_cache: Path) -> None:
    leftover = fresh_cache / ".build-killed"
    leftover.mkdir()
    (fresh_cache / image.version).mkdir()
    said: list[tuple[str, str]] = []
    made: list[GuestImage] = []

    async def one(name: str) -> None:
        made.append(await build(fresh_cache, progress=lambda what, done, total: said.append((name, what))))

    async with anyio.create_task_group() as group:
        group.start_soon(one, "a")
        group.start_soon(one, "b")
    assert made[0] == made[1]
    assert len({name for name, what in said if what == "compressing the disk"}) == 1
    assert ("waiting for another build") in {what for _, what in said}
    assert _sums(made[0]) == _sums(image)
    assert made[0].version == image.version
    assert sorted(os.listdir(fresh_cache)) == sorted([image.version, "current.json", "debs", "lock"])


async def test_a_build_that_is_cancelled_leaves_nothing(image: GuestImage, fresh_cache: Path) -> None:
    with anyio.CancelScope() as scope:

        def stop_late(what: str, done: int, total: int) -> None:
            if what == "writing the disk":
                scope.cancel()

        await build(fresh_cache, progress=stop_late)
    assert scope.cancelled_caught
    assert not complete(image_of(fresh_cache, image.version))
    assert not [name for name in os.listdir(fresh_cache) if name.startswith(".build-")]
    assert cached(fresh_cache) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="compares what root builds with what an ordinary user builds")
async def test_an_ordinary_user_builds_the_same_bytes(image: GuestImage, fresh_cache: Path) -> None:
    home = Path("/var/tmp") / f"minicloud-guest-{os.getpid()}"
    shutil.copytree(fresh_cache, home / "cache")
    for path in (home, home / "cache", home / "cache" / "debs"):
        os.chown(path, NOBODY, NOBODY)
    os.chmod(home / "cache" / "current.json", 0o644)
    program = (
        "import sys, anyio\nfrom pathlib import Path\nfrom minicloud.guest import build\n"
        "async def main():\n    await build(Path(sys.argv[1]) / 'cache', progress=lambda *a: None)\nanyio.run(main)\n"
    )
    arguments = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, "-c", program, str(home))
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": ":".join(python_path())}
    try:
        await tools.run("setpriv", *arguments, timeout_s=600, cwd=str(home), env=environment)
        theirs = image_of(home / "cache", image.version)
        assert theirs.disk.owner() == "nobody"
        assert _sums(theirs) == _sums(image)
    finally:
        shutil.rmtree(home)


async def test_packages_come_from_the_archive_without_root(tmp_path: Path) -> None:
    apt = Apt(tmp_path)
    try:
        await apt.ready()
        names = await apt.names()
        files = await apt.fetch(["libcom-err2"])
    except Unavailable as error:
        if "connect" not in error.message and "resolve" not in error.message:
            raise
        pytest.skip(f"the package archive cannot be reached: {error.message}")
    assert {"busybox-static", "dropbear-bin", "libc6", "libtomcrypt1", "syslinux"} <= set(names)
    assert len([name for name in names if name.startswith("linux-image-")]) == 1
    assert os.listdir(tmp_path / "debs") == [files["libcom-err2"]]


def test_packages_are_kept_unless_one_is_gone_or_the_recipe_wants_another(tmp_path: Path) -> None:
    (tmp_path / "debs").mkdir()
    files = {name: f"{name}.deb" for name in (*INSIDE, *OUTSIDE, "libc6")}
    for file in files.values():
        (tmp_path / "debs" / file).touch()
    assert kept(tmp_path) is None, "nothing was built"
    write_current(tmp_path, Current("v", "recipe", files))
    assert kept(tmp_path) == files
    older = {name: file for name, file in files.items() if name != "qemu-guest-agent"}
    write_current(tmp_path, Current("v", "recipe", older))
    assert kept(tmp_path) is None, "the guest has an agent by now"
    write_current(tmp_path, Current("v", "recipe", files))
    (tmp_path / "debs" / "libc6.deb").unlink()
    assert kept(tmp_path) is None
