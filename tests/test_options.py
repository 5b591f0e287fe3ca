"""Settings that make no sense are refused before anything is open, by their names."""

from typing import Any

import pytest

from minicloud.base.errors import Invalid
from minicloud.options import image_options_of, options_of
from minicloud.settings import Settings


@pytest.mark.parametrize(
    "given",
    [
        {"import_allowed_ports": "80,http"},
        {"import_disallowed_ports": "0"},
        {"import_disallowed_ports": "65536"},
        {"import_methods": "glance-direct,by-post"},
        {"image_check_hours": -1},
        {"property_protection_file": "/nonexistent/rules.conf"},
        {"max_disk_devices_to_attach": 0},
        {"max_disk_devices_to_attach": -2},
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(given: dict[str, Any]) -> None:
    [(name, value)] = given.items()
    words = str(value) if name == "property_protection_file" else f"The setting {name}"
    with pytest.raises(Invalid, match=words):
        _all(Settings(**given))


def _all(settings: Settings) -> None:
    image_options_of(settings)
    options_of(settings, "fake")


def test_words_are_separated_by_commas_and_may_be_none() -> None:
    chosen = image_options_of(
        Settings(import_allowed_ports="", import_disallowed_ports="22, 25", import_disallowed_schemes="http,")
    ).downloads
    assert (chosen.ports, chosen.refused_ports, chosen.refused_schemes) == ((), (22, 25), ("http",))
