"""Layers: the qcow2 files that volumes stand on, and who stands on whom, so that what nobody needs any more is removed.

A volume's file is ``volumes/<id>.qcow2``, writable and on top. Below it lie layers that never change: ``layers/<id>.qcow2``
is what a snapshot (or a clone's source) held when it was taken, ``layers/image-<checksum>.*`` a second name of a cached
image. A layer is kept as long as ``snapshots/<id>`` names it or a file stands on it. Files name what they stand on relative
to themselves, so that the whole folder may be moved.
"""

import contextlib
import errno
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from minicloud.base.errors import Failed, Invalid, NotFound
from minicloud.base.imageformat import qcow2
from minicloud.drivers.privatefolder import make_private
from minicloud.drivers.storage import Base
from minicloud.drivers.storage.basecache import sync

VOLUMES, LAYERS, SNAPSHOTS = "volumes", "layers", "snapshots"
_HEAD = 4096


class Layers:
    """The files of one backend's folder. Synchronous: what it does is a few system calls each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._below: dict[Path, Path | None] | None = None
        self._held: Counter[Path] = Counter()
        self._copying = threading.Lock()

    def volume(self, volume_id: str) -> Path:
        """Where a volume lies, or would: a raw file if several machines may have it open."""
        raw = self.raw_volume(volume_id)
        return raw if raw.exists() else self.layered_volume(volume_id)

    def layered_volume(self, volume_id: str) -> Path:
        """Where a volume lies that stands on layers, or may come to."""
        return self.folder / VOLUMES / f"{volume_id}.qcow2"

    def raw_volume(self, volume_id: str) -> Path:
        """Where a volume lies that several machines may have open."""
        return self.folder / VOLUMES / f"{volume_id}.raw"

    def copy(self, copy_id: str) -> Path:
        """Where a machine that has a volume open puts what it holds."""
        return self.folder / LAYERS / f".{copy_id}.copy"

    def layer(self, layer_id: str) -> Path:
        """Where what was frozen lies."""
        return self.folder / LAYERS / f"{layer_id}.qcow2"

    def image(self, base: Base) -> Path:
        """Where a cached image lies for those who stand on it."""
        return self.folder / LAYERS / f"image-{base.checksum}.{base.format}"

    def make_folders(self) -> None:
        """All three are there."""
        for name in (VOLUMES, LAYERS, SNAPSHOTS):
            make_private(self.folder / name)

    def names(self, kind: str) -> list[str]:
        """Ids of the volumes or snapshots that are here."""
        folder = self.folder / kind
        if not folder.is_dir():
            return []
        return sorted(
            {
                entry.name.removesuffix(".qcow2").removesuffix(".raw")
                for entry in folder.iterdir()
                if not entry.name.startswith(".")
            }
        )

    def used_bytes(self) -> int:
        """Bytes that all files take on the disk."""
        used = 0
        for kind in (VOLUMES, LAYERS):
            for path in (self.folder / kind).glob("*"):
                with contextlib.suppress(FileNotFoundError):
                    used += path.stat().st_blocks * 512
        return used

    def size(self, path: Path) -> int:
        """The virtual size of a file in bytes. Raises NotFound, Failed (damaged)."""
        if path.suffix == ".raw":
            return path.stat().st_size
        head = _head(path)
        try:
            return qcow2.size(head)
        except Invalid as error:
            raise Failed(f"{path} is damaged: {error.message}") from error

    def lend_image(self, base: Base) -> Path:
        """A second name for a cached image, which stays as long as volumes stand on it, whatever becomes of the cache."""
        path = self.image(base)
        try:
            if path.exists() and not os.path.samefile(path, base.path):
                # The cache noticed that the old file was damaged, or fetched it anew. Several threads may put it in place at
                # once, each by a name of its own.
                part = path.with_name(f".{path.name}.{threading.get_ident()}.part")
                part.unlink(missing_ok=True)
                os.link(base.path, part)
                os.replace(part, path)
                # Where somebody else was quicker both are names of one file, which rename leaves as they are.
                part.unlink(missing_ok=True)
                return path
            os.link(base.path, path)
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Volumes lie on another file system than the cache: theirs is a copy.
            self._copy_image(base, path)
        return path

    def _copy_image(self, base: Base, path: Path) -> None:
        part = path.with_name(f".{path.name}.part")
        with self._copying:
            if path.exists():
                return
            try:
                shutil.copyfile(base.path, part)
                os.chmod(part, 0o444)
                sync(part)
                os.replace(part, path)
            finally:
                part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def holding(self, layer: Path) -> Iterator[None]:
        """While inside, the layer stays though nothing stands on it yet."""
        self._held[layer] += 1
        try:
            yield
        finally:
            self._held[layer] -= 1
            if not self._held[layer]:
                del self._held[layer]
                self.collect(layer)

    def freeze(self, layer_id: str, volume_id: str) -> None:
        """The volume's file gets a second name as a layer; content when it has (or had) it."""
        layer = self.layer(layer_id)
        below = self._graph()
        with contextlib.suppress(FileExistsError):
            os.link(self.volume(volume_id), layer)
        below[layer] = _backing(layer)

    def frozen(self, layer_id: str, volume_id: str) -> bool:
        """Whether the volume stands on the layer already, and so is no longer the same file."""
        layer, top = self.layer(layer_id), self.volume(volume_id)
        return layer.exists() and top.exists() and not os.path.samefile(layer, top)

    def put_in_place(self, part: Path, path: Path) -> None:
        """A finished file takes its name, at once and whole."""
        below = self._graph()
        os.replace(part, path)
        below.pop(part, None)
        below[path] = _backing(path)

    def name_snapshot(self, snapshot_id: str) -> None:
        """The layer of this id is a snapshot."""
        (self.folder / SNAPSHOTS / snapshot_id).touch(mode=0o600)

    def is_snapshot(self, snapshot_id: str) -> bool:
        """Whether there is a snapshot of this id."""
        return (self.folder / SNAPSHOTS / snapshot_id).exists()

    def forget_snapshot(self, snapshot_id: str) -> None:
        """The snapshot is gone, and its layer too, unless something stands on it."""
        (self.folder / SNAPSHOTS / snapshot_id).unlink(missing_ok=True)
        self.collect(self.layer(snapshot_id))

    def remove(self, path: Path) -> None:
        """A file goes, and with it every layer that stood there only for its sake."""
        below = self._graph()
        under = below.pop(path, None) or (_backing(path) if path.exists() else None)
        path.unlink(missing_ok=True)
        if under is not None:
            self.collect(under)

    def collect(self, layer: Path) -> None:
        """Remove a layer that nothing names and nothing stands on, and so on downwards."""
        below = self._graph()
        if layer.parent.name != LAYERS or layer in self._held:
            return
        if self.is_snapshot(layer.stem) or layer in below.values():
            return
        self.remove(layer)

    def under(self, path: Path) -> Path | None:
        """What a file stands on; None also where there is no such file."""
        return self._graph().get(path)

    def relative(self, layer: Path, file: Path) -> str:
        """A layer's name as a file that stands on it says it."""
        return os.path.relpath(layer, file.parent)

    def depth(self, path: Path) -> int:
        """How many files a guest's read may have to look through."""
        below = self._graph()
        count, at = 1, below.get(path)
        while at is not None:
            count, at = count + 1, below.get(at)
        return count

    def sweep(self) -> None:
        """What an earlier life left unfinished, and layers that nobody needs."""
        for kind in (VOLUMES, LAYERS):
            for part in self.folder.glob(f"{kind}/.*.part"):
                part.unlink(missing_ok=True)
        if (self.folder / LAYERS).is_dir():
            for layer in sorted((self.folder / LAYERS).iterdir()):
                self.collect(layer)

    def _graph(self) -> dict[Path, Path | None]:
        """What every file stands on; read once from the files' headers, then kept."""
        if self._below is None:
            self._below = {
                path: _backing(path)
                for kind in (VOLUMES, LAYERS)
                for path in (self.folder / kind).glob("*.*")
                if not path.name.endswith((".raw", ".part"))
            }
        return self._below


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except FileNotFoundError as error:
        raise NotFound(f"{path.name} is not on this backend") from error


def _backing(path: Path) -> Path | None:
    """What a file of ours stands on; raw images are never looked into."""
    if path.suffix == ".raw":
        return None
    name = qcow2.backing_file(_head(path))
    return None if name is None else Path(os.path.normpath(path.parent / name))
