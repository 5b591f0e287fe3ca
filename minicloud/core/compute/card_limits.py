"""What servers' flavors let through their network cards: the extra specs ``quota:vif_{inbound,outbound}_{average,peak,burst}``.

Inbound is what the guest receives. Averages and peaks are kilobytes a second, bursts are KiB, as libvirt reads them. Without
an average there is no limit that way, whatever else is said.
"""

from collections.abc import Iterable, Mapping

import msgspec

from minicloud.core.compute.servers import ServerFlavor
from minicloud.core.network.wished import LimitWish, QualityWish
from minicloud.engines.database import Transaction

_MOST = 2**40
"""More than any wire carries; what is said in petabytes is no limit."""


def of_servers(tx: Transaction, server_ids: Iterable[str]) -> dict[str, QualityWish]:
    """The limits of those servers whose flavor has some, in one query that passes all others over."""
    rows = tx.all(
        "SELECT id, flavor FROM servers WHERE id IN (SELECT value FROM json_each(?)) AND flavor LIKE '%\"quota:vif_%'",
        [msgspec.json.encode(sorted(server_ids)).decode()],
    )
    return {
        server_id: of_specs(msgspec.json.decode(flavor, type=ServerFlavor).extra_specs) for server_id, flavor in rows
    }


def of_specs(specs: Mapping[str, str]) -> QualityWish:
    """The limits that extra specs ask for. Pure."""
    return QualityWish(ingress=_limit(specs, "inbound"), egress=_limit(specs, "outbound"))


def _limit(specs: Mapping[str, str], way: str) -> LimitWish | None:
    average, peak, burst = (_number(specs.get(f"quota:vif_{way}_{what}")) for what in ("average", "peak", "burst"))
    if not average:
        return None
    return LimitWish(kbps=average * 8, burst_kb=burst * 8 * 1024 // 1000, peak_kbps=peak * 8)


def _number(text: str | None) -> int:
    # Before 2.86 any text could be stored.
    return min(int(text), _MOST) if text is not None and text.strip().isdecimal() else 0
