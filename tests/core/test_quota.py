"""Quotas: what binds, what does not, and what is told."""

import pytest

from minicloud.base.errors import OverQuota
from minicloud.core import quota
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio


async def test_the_last_one_fits_and_the_next_does_not() -> None:
    def story(tx: Transaction) -> None:
        ask = {"instances": 1, "cores": 2, "ram": 1024}
        quota.check(tx, "compute", "red", ask, {"instances": 9, "cores": 18, "ram": 0})
        with pytest.raises(OverQuota) as told:
            quota.check(tx, "compute", "red", ask, {"instances": 10, "cores": 19, "ram": 0})
        assert told.value.message == (
            "Quota exceeded for cores, instances: Requested 2, 1, but already used 19, 10 of 20, 10 cores, instances"
        )
        with pytest.raises(OverQuota, match="Quota exceeded for resources: volumes"):
            quota.check(tx, "volume", "red", {"volumes": 1}, {"volumes": 10})
        with pytest.raises(OverQuota, match="Maximum number of metadata items exceeds 128"):
            quota.check(tx, "compute", "red", {"metadata_items": 129}, {})

    await InlineDatabase().write(story)


async def test_what_has_no_limit_is_not_even_counted() -> None:
    def count() -> dict[str, int]:
        raise AssertionError("counted")

    def story(tx: Transaction) -> None:
        quota.set_limits(tx, "compute", "red", {"instances": -1, "cores": -1})
        quota.check(tx, "compute", "red", {"instances": 1000, "cores": 1000}, count)
        quota.check(tx, "compute", "red", {"ram": 0}, count)
        assert quota.room(tx, "compute", "red", ["instances", "cores"], count) == {"instances": -1, "cores": -1}
        quota.set_limits(tx, "compute", "red", {"instances": 5})
        assert quota.room(tx, "compute", "red", ["instances", "cores"], {"instances": 7}) == {
            "instances": 0,
            "cores": -1,
        }
        assert quota.own_limits(tx, "compute", "red") == {"instances": 5, "cores": -1}
        assert quota.projects(tx, "compute") == ["red"]
        quota.reset(tx, "compute", "red")
        assert quota.limits(tx, "compute", "red") == quota.defaults(tx, "compute")

    await InlineDatabase().write(story)


async def test_defaults_are_a_class_and_services_do_not_mix() -> None:
    def story(tx: Transaction) -> None:
        quota.set_class_limits(tx, "compute", "default", {"cores": 3})
        quota.set_class_limits(tx, "compute", "gold", {"ram": 4})
        assert quota.limits(tx, "compute", "red")["cores"] == 3
        gold = quota.class_limits(tx, "compute", "gold")
        assert (gold["cores"], gold["ram"]) == (quota.DEFAULTS["compute"]["cores"], 4), "no class builds on another"
        quota.set_limits(tx, "compute", "red", {"cores": 8})
        assert quota.limits(tx, "compute", "red")["cores"] == 8
        assert quota.limits(tx, "volume", "red") == quota.DEFAULTS["volume"]

    await InlineDatabase().write(story)
