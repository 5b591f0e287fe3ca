"""The guest image ``minilinux``: a small Linux built from Debian packages without root; imports ``base`` only.

``build(cache, progress=..., force=...)`` gives a ``GuestImage`` (made once, then found again in milliseconds),
``missing_tools()`` the programs that building needs and this machine lacks. The guest's own scripts lie in ``init/``.
"""

from minicloud.guest.build import build, cached
from minicloud.guest.image import GuestImage
from minicloud.guest.packages import install_hint, missing_tools

__all__ = ["GuestImage", "build", "cached", "install_hint", "missing_tools"]
