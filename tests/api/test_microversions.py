"""Microversions: what is asked for, in which header; which fields exist when; and the struct of each version."""

from typing import Annotated, Literal

import msgspec
import pytest

from minicloud.api.bodies import Body, Reading, decode, encode
from minicloud.api.microversions import (
    Beside,
    Negotiation,
    Pausing,
    RequiredSince,
    Since,
    Until,
    Version,
    exists,
    has_marks,
    version,
)
from minicloud.base.errors import Invalid, NotAcceptable

NOVA = Negotiation(
    word="compute", lowest=version("2.1"), newest=version("2.104"), older_headers=("X-OpenStack-Nova-API-Version",)
)


def asked(**headers: str) -> str:
    """The version that these headers ask for."""
    return str(NOVA.asked({name.replace("_", "-").lower(): value for name, value in headers.items()}))


def test_versions_compare_as_numbers_do() -> None:
    assert version("2.10") > version("2.9")
    assert str(version("2.104")) == "2.104"
    for text in ("2", "2.", ".1", "2.01", "02.1", "2.1.1", "v2.1", "latest", "", "2.-1", "2.1 "):
        with pytest.raises(ValueError):
            version(text)


def test_the_lowest_answers_whoever_does_not_say() -> None:
    assert asked() == "2.1"
    assert asked(OpenStack_API_Version="volume 3.60") == "2.1"
    assert asked(OpenStack_API_Version="compute") == "2.1"


def test_the_newer_header_wins_and_may_speak_of_several_services() -> None:
    assert asked(OpenStack_API_Version="compute 2.90") == "2.90"
    assert asked(OpenStack_API_Version="volume 3.60, compute 2.53 , placement 1.39") == "2.53"
    assert asked(X_OpenStack_Nova_API_Version="2.31") == "2.31"
    assert asked(OpenStack_API_Version="compute 2.90", X_OpenStack_Nova_API_Version="2.31") == "2.90"
    assert asked(OpenStack_API_Version="volume 3.60", X_OpenStack_Nova_API_Version="2.31") == "2.31"


def test_a_loose_service_hears_its_word_within_another() -> None:
    cinder = Negotiation(word="volume", lowest=version("3.0"), newest=version("3.71"), loose=True)
    assert str(cinder.asked({"openstack-api-version": "volumev3 3.27"})) == "3.27"
    assert str(cinder.asked({"openstack-api-version": "compute 2.1, volume 3.60"})) == "3.60"
    assert str(cinder.asked({})) == "3.0"


def test_latest_is_the_newest() -> None:
    assert asked(OpenStack_API_Version="compute latest") == "2.104"
    assert asked(X_OpenStack_Nova_API_Version="latest") == "2.104"


@pytest.mark.parametrize("text", ["2", "2.01", "two", "2.1.1", "-2.1", "2.1a", "Latest", "2.1\t2"])
def test_what_is_no_version_is_malformed(text: str) -> None:
    with pytest.raises(Invalid, match=r"invalid format\. Must be of format MajorNum\.MinorNum"):
        asked(OpenStack_API_Version=f"compute {text}")


@pytest.mark.parametrize("text", ["2.0", "2.105", "3.1", "1.1", "2.99999999"])
def test_what_lies_out_of_bounds_is_not_acceptable_and_the_bounds_are_told(text: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        asked(OpenStack_API_Version=f"compute {text}")
    assert caught.value.message == (f"Version {text} is not supported by the API. Minimum is 2.1 and maximum is 2.104.")
    assert (caught.value.detail["min_version"], caught.value.detail["max_version"]) == ("2.1", "2.104")


def test_the_answer_tells_which_version_it_is_in_every_header_that_may_ask() -> None:
    assert NOVA.headers(version("2.90")) == [
        ("OpenStack-API-Version", "compute 2.90"),
        ("X-OpenStack-Nova-API-Version", "2.90"),
        ("Vary", "OpenStack-API-Version, X-OpenStack-Nova-API-Version"),
    ]


class Key(Body, wrap="keypair"):
    """As the design writes it."""

    name: str
    public_key: Annotated[str | None, RequiredSince("2.92")] = None
    type: Annotated[Literal["ssh", "x509"], Since("2.2")] = "ssh"
    old: Annotated[int, Until("2.9")] = 0


class Place(Body):
    """A part that differs by version."""

    city: str
    zone: Annotated[str | None, Since("2.5")] = None


class Trip(Body, wrap="trip"):
    """A document with parts, and something beside it."""

    places: list[Place]
    home: Place | None = None
    by_name: dict[str, Place] = {}
    hints: Annotated[dict[str, str], Beside()] = msgspec.field(name="os:hints", default_factory=dict)
    late: Annotated[int, Beside(), Since("2.10")] = 0


STRICT = Reading(forbid_unknown=True)


def read_key(text: str, at: str) -> Key:
    return decode(text.encode(), Key, version(at), STRICT)


def test_a_field_exists_from_its_first_to_its_last_version() -> None:
    marks = (Since("2.2"), Until("2.9"))
    assert [exists(marks, version(v)) for v in ("2.1", "2.2", "2.9", "2.10")] == [False, True, True, False]
    assert exists(marks, None)
    pausing = (Since("2.2"), Pausing("2.5", "2.7"))
    assert [exists(pausing, version(v)) for v in ("2.1", "2.4", "2.5", "2.7", "2.8")] == [
        False,
        True,
        False,
        False,
        True,
    ]
    assert has_marks(Key)
    assert has_marks(Trip)


def test_a_field_of_another_version_is_unknown() -> None:
    assert read_key('{"keypair": {"name": "k", "type": "x509"}}', "2.2").type == "x509"
    with pytest.raises(Invalid, match=r"Additional properties are not allowed \('type' was unexpected\)"):
        read_key('{"keypair": {"name": "k", "type": "x509"}}', "2.1")
    assert read_key('{"keypair": {"name": "k", "old": 1}}', "2.9").old == 1
    with pytest.raises(Invalid, match=r"\('old' was unexpected\)"):
        read_key('{"keypair": {"name": "k", "old": 1}}', "2.10")


def test_a_field_may_become_required() -> None:
    assert read_key('{"keypair": {"name": "k"}}', "2.91").public_key is None
    with pytest.raises(Invalid, match="'public_key' is a required property"):
        read_key('{"keypair": {"name": "k"}}', "2.92")
    assert read_key('{"keypair": {"name": "k", "public_key": null}}', "2.92").public_key is None


def test_what_is_read_is_the_struct_that_was_written_down_with_defaults_for_what_was_not_there() -> None:
    found = read_key('{"keypair": {"name": "k"}}', "2.1")
    assert type(found) is Key
    assert found == Key(name="k")


def test_parts_inside_differ_too_wherever_they_stand() -> None:
    text = b'{"trip": {"places": [{"city": "a", "zone": "z"}], "home": {"city": "b"}, "by_name": {"x": {"city": "c"}}}}'
    found = decode(text, Trip, version("2.5"), STRICT)
    assert found == Trip(places=[Place(city="a", zone="z")], home=Place(city="b"), by_name={"x": Place(city="c")})
    with pytest.raises(Invalid, match=r"\('zone' was unexpected\)") as caught:
        decode(text, Trip, version("2.4"), STRICT)
    assert caught.value.detail["path"] == "$.trip.places[0]"


def test_what_stands_beside_is_not_accepted_inside_and_the_other_way_round() -> None:
    beside = decode(b'{"trip": {"places": []}, "os:hints": {"a": "b"}, "late": 3}', Trip, version("2.10"), STRICT)
    assert (beside.hints, beside.late) == ({"a": "b"}, 3)
    with pytest.raises(Invalid, match=r"\('os:hints' was unexpected\)"):
        decode(b'{"trip": {"places": [], "os:hints": {}}}', Trip, version("2.10"), STRICT)
    with pytest.raises(Invalid, match=r"\('late' was unexpected\)"):
        decode(b'{"trip": {"places": []}, "late": 3}', Trip, version("2.9"), STRICT)


def test_answers_have_the_fields_of_their_version_at_every_depth() -> None:
    trip = Trip(places=[Place(city="a", zone="z")], home=Place(city="b"), by_name={"x": Place(city="c", zone="y")})
    assert msgspec.json.decode(encode(Key(name="k", old=1), version("2.1"))) == {
        "keypair": {"name": "k", "public_key": None, "old": 1}
    }
    assert msgspec.json.decode(encode(Key(name="k", old=1), version("2.92"))) == {
        "keypair": {"name": "k", "public_key": None, "type": "ssh"}
    }
    at_4 = msgspec.json.decode(encode(trip, version("2.4")))["trip"]
    assert at_4["places"] == [{"city": "a"}]
    assert at_4["home"] == {"city": "b"}
    assert at_4["by_name"] == {"x": {"city": "c"}}
    at_5 = msgspec.json.decode(encode({"trips": [trip]}, version("2.5")))["trips"][0]
    assert at_5["places"] == [{"city": "a", "zone": "z"}]
    assert at_5["by_name"] == {"x": {"city": "c", "zone": "y"}}
    assert trip.places[0].zone == "z", "rendering must not change what it renders"


def test_a_version_is_two_numbers() -> None:
    assert version("2.90") == Version(2, 90) == (2, 90)
