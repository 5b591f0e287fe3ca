"""Pages of memory that a server may ask for: ``small``, ``large``, ``any``, or a size."""

import re

from minicloud.base.errors import Invalid

SMALL, LARGE, ANY = "small", "large", "any"
SMALL_KB = 4
_UNITS = {"": 1, "k": 1, "ki": 1, "m": 1024, "mi": 1024, "g": 1024**2, "gi": 1024**2}


def page_request(flavor: str | None, image: str | None) -> str:
    """What a flavor and an image ask for together: a word, a size in KiB as text, or empty. Raises Invalid in Nova's words."""
    if not flavor:
        if image:
            raise Invalid(f"Page size {image} forbidden against '<empty>'")
        return ""
    asked = _read(flavor)
    if not image:
        return asked
    if asked not in (ANY, LARGE):
        raise Invalid(f"Page size {image} forbidden against '{flavor}'")
    return _read(image)


def _read(text: str) -> str:
    if text in (SMALL, LARGE, ANY):
        return text
    match = re.fullmatch(r"(\d{1,9})\s*([kmg]i?)?b?", text.strip(), re.IGNORECASE)
    if match is None or int(match[1]) == 0:
        raise Invalid(f"Invalid memory page size '{text}'")
    return str(int(match[1]) * _UNITS[(match[2] or "").lower()])
