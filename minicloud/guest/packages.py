"""The Debian packages that the guest and its disk are made of: which, where from, and unpacked without root."""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio.to_thread

from minicloud.base import tools
from minicloud.base.errors import ToolFailed, ToolMissing, Unavailable

KERNEL = "linux-image-cloud-amd64"
INSIDE = ("busybox-static", "dropbear-bin", "e2fsprogs", "openssh-sftp-server", "qemu-guest-agent")
OUTSIDE = ("dosfstools", "mtools", "syslinux", "syslinux-common", "systemd-boot-efi")
"""Unpacked beside the guest and used from there: so nobody has to install them, and their versions belong to the recipe."""

PROGRAMS = ("apt-cache", "apt-get", "dpkg-deb", "qemu-img")

_APT = ("-o", "Acquire::Retries=3", "-o", "APT::Sandbox::User=")
_CLOSURE = (
    "--recurse",
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
)


def missing_tools() -> list[str]:
    """The programs that building the guest needs and that are not installed here."""
    return [program for program in PROGRAMS if tools.find(program) is None]


def install_hint(missing: Sequence[str]) -> str:
    """The one command that installs these programs: ``apt install ...``."""
    return "apt install " + " ".join(sorted({tools.PACKAGES[program] for program in missing}))


def need_tools(missing: Sequence[str]) -> None:
    """Nothing, when no program is missing.

    Raises:
        ToolMissing: some are; the message lists them all and the one command that helps.
    """
    if missing:
        raise ToolMissing(
            f"the guest image cannot be built without {', '.join(missing)}: {install_hint(missing)}",
            missing=list(missing),
        )


class Apt:
    """apt's view of the archive: the machine's own package lists, or ours in ``cache/apt`` when the machine has none."""

    def __init__(self, cache: Path) -> None:
        self._debs = cache / "debs"
        self._own = cache / "apt"
        self._options: tuple[str, ...] = _APT

    async def ready(self) -> None:
        """Have package lists that know the kernel package.

        Raises:
            Unavailable: the archive that this machine uses does not have it, or cannot be reached.
        """
        if not await self._knows():
            await self.use_own_lists()

    async def use_own_lists(self) -> None:
        """Fetch fresh package lists into ``cache/apt``, which takes no root: the machine has none, or they are too old.

        Raises:
            Unavailable: as for ``ready``.
        """
        for folder in ("lists", "archives"):
            _private(self._own / folder / "partial")
        self._options = (*_APT, "-o", f"Dir::State::Lists={self._own / 'lists'}", "-o", f"Dir::Cache={self._own}")
        try:
            told = await tools.run("apt-get", *self._options, "-q", "update", timeout_s=300)
        except ToolFailed as error:
            raise Unavailable(
                f"fetching package lists failed ({_reasons(error)}); check the network and /etc/apt/sources.list"
            ) from error
        if not await self._knows():
            # apt calls it a success when a source could not be reached.
            troubles = _complaints(told.stderr.decode(errors="replace"))
            raise Unavailable(
                f"no package {KERNEL} in this machine's package sources"
                + (f" ({troubles})" if troubles else "")
                + ": the guest is built from Debian packages (amd64); check the network and /etc/apt/sources.list, "
                "use a Debian machine, or give minicloud another image"
            )

    async def _knows(self) -> bool:
        shown = await tools.run("apt-cache", *self._options, "show", "--no-all-versions", KERNEL, accept=(0, 100))
        return b"\nDepends:" in shown.stdout

    async def names(self) -> list[str]:
        """All packages to fetch: the current kernel, what goes inside with its libraries, and what we use outside."""
        shown = await tools.run("apt-cache", *self._options, "show", "--no-all-versions", KERNEL)
        kernel = kernel_of(shown.stdout.decode())
        # Only the libraries of the agent: its scripts for services would bring Perl with them.
        agent = await tools.run("apt-cache", *self._options, "depends", "qemu-guest-agent")
        wanted = ("dropbear-bin", "e2fsprogs", *needs_in(agent.stdout.decode()))
        closure = await tools.run("apt-cache", *self._options, "depends", *_CLOSURE, *wanted)
        return sorted({kernel, *INSIDE, *OUTSIDE, *libraries_in(closure.stdout.decode())})

    async def fetch(self, names: Sequence[str]) -> dict[str, str]:
        """Download what is not in the cache yet; package name to file name, of the newest versions."""
        self._debs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self._debs) as folder:
            listed = await tools.run("apt-get", *self._options, "download", "--print-uris", *names, cwd=folder)
            files = files_in(listed.stdout.decode())
            absent = [name for name in names if name not in files]
            if absent:
                raise Unavailable(f"apt gives no address for {', '.join(absent)}")
            lacking = [name for name in names if not (self._debs / files[name]).is_file()]
            if lacking:
                try:
                    await tools.run("apt-get", *self._options, "-q", "download", *lacking, cwd=folder, timeout_s=900)
                except ToolFailed as error:
                    raise Unavailable(f"downloading Debian packages failed: {_reasons(error)}") from error
                for name in lacking:
                    (Path(folder) / files[name]).rename(self._debs / files[name])
        return files


def _reasons(error: ToolFailed) -> str:
    return _complaints(str(error.detail.get("stderr", ""))) or error.message


def _complaints(stderr: str) -> str:
    """The first few errors and warnings that apt printed, without the remark that root downloads as root."""
    lines = [line for line in stderr.splitlines() if line.startswith(("E: ", "W: ")) and "unsandboxed" not in line]
    return "; ".join(line[3:] for line in lines[:3])


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def kernel_of(shown: str) -> str:
    """The kernel package that the meta package stands for now, out of ``apt-cache show``."""
    found = re.search(r"^Depends:.*?\b(linux-image-[0-9][^ ,]*)", shown, re.MULTILINE)
    if found is None:
        raise Unavailable(f"apt's {KERNEL} names no kernel; run `apt-get update` as root")
    return found.group(1)


def libraries_in(depends: str) -> list[str]:
    """The library packages in the output of ``apt-cache depends --recurse`` (each package stands at the start of a line)."""
    return [line for line in depends.splitlines() if re.match(r"(lib|zlib)[^ ]*$", line)]


def needs_in(depends: str) -> list[str]:
    """The libraries that one package itself depends on, in the output of ``apt-cache depends``."""
    return re.findall(r"^ +Depends: (lib\S+)$", depends, re.MULTILINE)


def files_in(uris: str) -> dict[str, str]:
    """Package name to file name, out of ``apt-get download --print-uris`` (lines of ``'URI' FILE SIZE HASH``)."""
    files = {}
    for line in uris.splitlines():
        if line.startswith("'"):
            file = line.split()[1]
            files[file.split("_", 1)[0]] = file
    return files


async def unpack(debs: Path, files: dict[str, str], into: Path, step: Callable[[int, int], None]) -> None:
    """Unpack the packages over each other into one tree."""
    for done, name in enumerate(sorted(files)):
        step(done, len(files))
        await tools.run("dpkg-deb", "-x", str(debs / files[name]), str(into), timeout_s=300)


async def forget_others(debs: Path, files: dict[str, str]) -> None:
    """Remove downloaded packages that the newest image no longer uses."""
    kept = set(files.values())

    def sweep() -> None:
        for path in debs.iterdir():
            if path.name.startswith(".fetch-"):
                shutil.rmtree(path, ignore_errors=True)
            elif path.name not in kept:
                path.unlink(missing_ok=True)

    await anyio.to_thread.run_sync(sweep)
