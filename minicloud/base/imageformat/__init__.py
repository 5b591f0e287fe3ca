"""What a disk image really is: told from its bytes as they stream by, in pure Python, before any other program may open it.

``Inspector`` keeps the first megabytes and the last sectors, names the format, reads the size that a guest will see, and
refuses what is dangerous (references to other files) or broken. A file per family of formats: ``qcow2``, ``vmdk``,
``virtualdisk`` (vdi, vhd, vhdx).
"""

import msgspec

from minicloud.base.errors import Invalid
from minicloud.base.imageformat import qcow2, virtualdisk, vmdk

SECTOR = 512
_HEAD = 1 << 20
_HEAD_VHDX = 8 << 20
_TAIL = 3 * SECTOR
_ISO_MAGIC_AT = 32769
_EARLY = 64 << 10

_AS_RAW = frozenset({"raw", "ami", "ari", "aki", "iso"})
_EMPTY = frozenset({"raw", "ami", "ari", "aki"})
"""Declared formats whose images may have no bytes at all, where that is allowed."""
_LIKE_RAW = frozenset({"raw", "iso", "luks"})
"""Detected formats whose bytes are used as they lie: no program that opens them as raw follows a reference in them."""

DECLARABLE = frozenset({"raw", "qcow2", "vmdk", "vdi", "vhd", "vhdx", "iso", "ami", "ari", "aki"})
"""The disk formats that can be inspected, by the names that the Image API uses."""


class ImageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is. ``virtual_size`` is what a guest sees and ``file_size`` what was fed, both in bytes.

    ``format``: qcow2, vmdk, vdi, vhd, vhdx, iso, luks, or raw. ``partitions``: gpt, mbr, or empty when there is no table.
    """

    format: str
    virtual_size: int
    file_size: int
    partitions: str = ""

    @property
    def told_size(self) -> int:
        """The virtual size as Glance tells it: it does not round up what is raw."""
        return self.file_size if self.format == "raw" else self.virtual_size


class Inspector:
    """Fed with an image's bytes in order; complains as early as it can.

    Args:
        declared: the disk format that the user stated; None accepts any safe format.
        max_virtual_size: bytes; larger disks are refused.
        empty: whether a raw image may have no bytes, as such that stand for volumes.
    """

    def __init__(
        self, declared: str | None = None, *, max_virtual_size: int | None = None, empty: bool = False
    ) -> None:
        if declared is not None and declared not in DECLARABLE:
            raise Invalid(
                f"disk format {declared!r} cannot be used here: choose one of {', '.join(sorted(DECLARABLE))}"
            )
        self._declared = declared
        self._limit = max_virtual_size
        self._empty = empty and declared in _EMPTY
        self._head = bytearray()
        self._tail = b""
        self._size = 0
        self._head_limit = _HEAD
        self._looked = False

    def feed(self, chunk: bytes) -> None:
        """The next bytes. Raises Invalid when what came so far can never become an acceptable image."""
        self._size += len(chunk)
        self._tail = (self._tail + chunk[-_TAIL:])[-_TAIL:]
        early = max(0, _EARLY - len(self._head))
        self._head += chunk[:early]
        if not self._looked and len(self._head) >= _EARLY:
            self._look()
        # After the look, which decides how much of the beginning is worth keeping.
        if len(self._head) < self._head_limit:
            self._head += chunk[early : early + self._head_limit - len(self._head)]

    def finish(self) -> ImageFacts:
        """All bytes were fed. Raises Invalid: empty, broken, dangerous, too large, or not what was declared."""
        if self._size == 0 and self._empty:
            return ImageFacts(format="raw", virtual_size=0, file_size=0)
        if self._size == 0:
            raise Invalid("the image is empty")
        if not self._looked:
            self._look()
        head = bytes(self._head)
        form = detect(head, self._tail[-SECTOR:])
        self._agree(form)
        if form == "qcow2":
            virtual = qcow2.check(head, self._size)
        elif form == "vmdk":
            virtual = vmdk.check(head, self._tail, self._size)
        elif form == "vdi":
            virtual = virtualdisk.check_vdi(head)
        elif form == "vhd":
            virtual = virtualdisk.check_vhd(head, self._tail[-SECTOR:], self._size)
        elif form == "vhdx":
            virtual = virtualdisk.check_vhdx(head)
        else:
            # A disk consists of whole sectors: programs that open a raw file round its size up.
            virtual = -(-self._size // SECTOR) * SECTOR
        if self._limit is not None and virtual > self._limit:
            raise Invalid(f"the image is a disk of {virtual} bytes: at most {self._limit} are accepted here")
        return ImageFacts(format=form, virtual_size=virtual, file_size=self._size, partitions=_partitions(head))

    def _look(self) -> None:
        self._looked = True
        head = bytes(self._head)
        form = detect(head, b"")
        if form == "vhdx":
            self._head_limit = _HEAD_VHDX
        if form not in _LIKE_RAW:
            self._agree(form)
        elif self._declared is not None and self._declared not in _AS_RAW and self._declared != "vhd":
            # A fixed VHD is known by its last sector alone; every other format shows itself at the beginning.
            self._agree(form)
        if form == "qcow2":
            qcow2.check(head, None)

    def _agree(self, form: str) -> None:
        declared = self._declared
        if declared is None:
            if form in ("qed", "ploop", "qcow", "cowd"):
                raise Invalid(f"the image is in {form} format, which cannot be used here: convert it to qcow2")
            return
        fits = form == declared
        if declared in _AS_RAW:
            fits = form in _LIKE_RAW if declared != "iso" else form == "iso"
        if not fits:
            advice = f"upload it with disk format {form}" if form in DECLARABLE else "convert it to qcow2"
            what = f"its content is {form}" if form != "raw" else "its content is of no known format, or raw"
            raise Invalid(f"the image was declared as {declared}, but {what}: {advice}")


def detect(head: bytes, tail: bytes) -> str:
    """The format by its magic numbers; ``head`` are the first bytes (64 KiB are enough), ``tail`` the last 512."""
    if head[:4] == b"QFI\xfb":
        return "qcow2" if head[4:8] != b"\0\0\0\x01" else "qcow"
    if head[:4] == b"QED\0":
        return "qed"
    if head[:4] == b"KDMV" or vmdk.is_descriptor(head):
        return "vmdk"
    if head[:4] == b"COWD":
        return "cowd"
    if head[64:68] == b"\x7f\x10\xda\xbe":
        return "vdi"
    if head[:8] == b"vhdxfile":
        return "vhdx"
    if head[:8] == b"conectix" or tail[:8] == b"conectix":
        return "vhd"
    if head[:16] in (b"WithoutFreeSpace", b"WithouFreSpacExt"):
        return "ploop"
    if head[:6] == b"LUKS\xba\xbe":
        return "luks"
    if head[_ISO_MAGIC_AT : _ISO_MAGIC_AT + 5] in (b"CD001", b"BEA01"):
        return "iso"
    return "raw"


def _partitions(head: bytes) -> str:
    if head[SECTOR : SECTOR + 8] == b"EFI PART":
        return "gpt"
    kinds = [head[450 + 16 * n] for n in range(4)] if len(head) >= SECTOR else []
    flags = [head[446 + 16 * n] for n in range(4)] if len(head) >= SECTOR else []
    # A boot sector ends with the same two bytes: only a plausible table makes it an MBR.
    if head[510:512] == b"\x55\xaa" and any(kinds) and all(flag in (0, 0x80) for flag in flags):
        return "mbr"
    return ""
