"""Further options that DHCP hands to a port's card: merging what is asked for into what there is."""

from collections.abc import Sequence

import msgspec

from minicloud.core.network.rows import DhcpOption

MAY_BE_BLANK = ("router", "classless-static-route")


class DhcpOptionWish(msgspec.Struct, frozen=True):
    """An option that a port shall have; without a value, one that it shall have no more."""

    opt_name: str
    opt_value: str | None
    ip_version: int = 4


def merged(there: Sequence[DhcpOption], wishes: Sequence[DhcpOptionWish]) -> list[DhcpOption]:
    """The options of a port after wishes; those that nobody speaks of stay, as upstream has it."""
    found = {(option.opt_name, option.ip_version): option for option in there}
    for wish in wishes:
        key = (wish.opt_name, wish.ip_version)
        if wish.opt_value is None:
            found.pop(key, None)
        elif wish.opt_value or wish.opt_name in MAY_BE_BLANK:
            found[key] = DhcpOption(wish.opt_name, wish.opt_value, wish.ip_version)
    return list(found.values())
