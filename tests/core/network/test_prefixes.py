"""Sets of addresses as CIDRs, against a plain count of addresses."""

import ipaddress
import random

from minicloud.core.network.prefixes import compact, without


def _addresses(prefixes: list[str]) -> set[int]:
    return {int(address) for prefix in prefixes for address in ipaddress.ip_network(prefix)}


def test_what_is_left_is_what_set_arithmetic_says() -> None:
    dice = random.Random(7)

    def some() -> list[str]:
        found = []
        for _ in range(dice.randint(0, 5)):
            length = dice.randint(24, 32)
            found.append(str(ipaddress.ip_network((0x0A000000 + dice.randrange(512), length), strict=False)))
        return found

    for _ in range(300):
        one, two = some(), some()
        assert _addresses(compact(one)) == _addresses(one)
        assert _addresses(without(one, two)) == _addresses(one) - _addresses(two)
        left = without(one, two)
        assert left == compact(left)


def test_versions_do_not_meet() -> None:
    assert without(["10.0.0.0/8"], ["::/0"]) == ["10.0.0.0/8"]
    assert without(["fd00::/8"], ["fd00::/16"])[0] == "fd01::/16"
    assert without([], ["10.0.0.0/8"]) == []
