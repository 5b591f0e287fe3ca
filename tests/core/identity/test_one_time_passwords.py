"""One-time passwords, held against the examples of RFC 6238."""

import base64

import pytest

from minicloud.core.identity.one_time_passwords import passcode

SEED = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_the_published_examples(seconds: int, code: str) -> None:
    assert passcode(SEED, seconds) == code


def test_padding_may_be_left_out_and_nonsense_has_no_passcode() -> None:
    assert passcode(SEED.rstrip("="), 59) == "287082"
    assert passcode("not base32!", 59) is None
