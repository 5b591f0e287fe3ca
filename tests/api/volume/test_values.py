"""What comes as text or number and is meant as one of them."""

import pytest

from minicloud.api.volume.values import size
from minicloud.base.errors import Invalid


@pytest.mark.parametrize(("given", "meant"), [(1, 1), ("2", 2), ("007", 7), ((1 << 31) - 1, (1 << 31) - 1)])
def test_a_size_may_come_as_text(given: int | str, meant: int) -> None:
    assert size("size", given) == meant


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (0, "0 is less than the minimum of 1"),
        (-1, "-1 is less than the minimum of 1"),
        ("0", "'0' is less than the minimum of 1"),
        (1 << 31, "2147483648 is greater than the maximum of 2147483647"),
        ("-1", "'-1' does not match '^[0-9]+$'"),
        ("1.5", "'1.5' does not match '^[0-9]+$'"),
        ("9" * 5000, f"'{'9' * 5000}' does not match '^[0-9]+$'"),
    ],
)
def test_what_is_no_size_is_told_in_cinders_words(given: int | str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        size("new_size", given)
    assert str(refused.value) == f"Invalid input for field/attribute new_size. Value: {given}. {why}"
