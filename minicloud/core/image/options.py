"""What an administrator chooses for the image service: ways to import, where from, how large, which properties are protected."""

import msgspec

from minicloud.base.download import DownloadRules
from minicloud.core.image.protections import OPEN, Protections

STORE = "file"
"""The name of the one store that there is."""

METHODS = ("glance-direct", "web-download", "copy-image")
"""Ways to import that exist. ``glance-download`` would need another region's image service."""


class ImageOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The choices; ``largest_bytes`` is what an image may have at most, ``check_hours`` how long hosts trust a cached one (0: ever)."""

    largest_bytes: int = 1 << 40
    import_methods: tuple[str, ...] = METHODS
    downloads: DownloadRules = DownloadRules()
    protections: Protections = OPEN
    check_hours: int = 24
