"""Words that clients choose, as Nova takes them: names and descriptions are of printable characters."""

from typing import Annotated

import msgspec

_ODD = r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Control and format characters, separators of lines: what Nova's validators do not count as printable."""

Named = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=rf"^(?!\s)[^{_ODD}]+(?<!\s)\Z")]
"""A name, without white space at its ends."""

Described = Annotated[str, msgspec.Meta(max_length=255, pattern=rf"^[^{_ODD}]*\Z")]
"""A description."""

Truth = Annotated[str, msgspec.Meta(pattern=r"^(?i:true|1|on|yes|false|0|off|no)\Z")]
"""A truth that is written as text."""

LongDescribed = Annotated[str, msgspec.Meta(max_length=65535, pattern=rf"^[^{_ODD}]*\Z")]
"""A description of a flavor."""
