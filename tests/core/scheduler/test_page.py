"""The page about scheduling names every filter and weigher, and nothing that there is not; the page about hosts is a lab that works."""

import re
from pathlib import Path

from minicloud.core.compute.descriptions import read_lab
from minicloud.core.scheduler.filters import all_filters
from minicloud.core.scheduler.options import SchedulerOptions
from minicloud.core.scheduler.weighers import all_weighers

DOCS = Path(__file__).parents[3] / "docs"


def test_every_filter_and_weigher_is_explained() -> None:
    options = SchedulerOptions()
    rows = [line.split("|")[1] for line in (DOCS / "scheduling.md").read_text().splitlines() if line.startswith("| `")]
    told = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert told == {*all_filters(options), *all_weighers(options)}


def test_the_lab_of_the_page_can_be_used() -> None:
    found = re.search(r"```yaml\n(.*?)```", (DOCS / "hosts.md").read_text(), re.DOTALL)
    assert found is not None
    lab = read_lab(found[1], "hosts.md")
    assert len(lab.by_name()) == 23
    assert [len(one.cards()) for one in lab.hosts] == [0, 0, 0, 10]
