"""The messages about a host's cache of images; part of ``calls``."""

from minicloud.agent.specs import ImageSource
from minicloud.drivers.storage import CachedBase
from minicloud.engines.messaging import Message

__all__ = ["IMAGE_CALLS", "CachedBase", "EnsureImage", "EnsureImageSound", "EnsureNoImage"]


class EnsureImage(Message[None], tag="ensure_image", kw_only=True):
    """The image is in the host's cache, so that a server can be made from it at once."""

    image: ImageSource


class EnsureImageSound(Message[bool], tag="ensure_image_sound", kw_only=True):
    """The image in the host's cache holds the bytes that came, unless somebody looked since then (seconds since 1970).

    Whether it had others, and was fetched anew.
    """

    image: ImageSource
    unless_since: float


class EnsureNoImage(Message[bool], tag="ensure_no_image", kw_only=True):
    """The image is not in the host's cache, unless a disk stands on it; whether it is gone.

    Whoever asks knows that no disk is about to be made of it.
    """

    checksum: str


IMAGE_CALLS = (EnsureImage, EnsureImageSound, EnsureNoImage)
