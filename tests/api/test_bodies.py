"""Bodies: what is refused and in which words, what may be lenient, and that nothing that is sent breaks the reader."""

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from minicloud.api.bodies import UUID, Body, Name, Reading, convert, decode, encode
from minicloud.api.microversions import NotNull
from minicloud.base.errors import Invalid


class Part(Body, open=True):
    """Accepts more than it knows."""

    name: Name


class Thing(Body, wrap="thing"):
    """A body with every kind of field."""

    name: Name
    count: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    flag: bool = False
    ratio: float = 1.0
    note: str | UnsetType | None = UNSET
    other_id: UUID | None = None
    parts: list[Part] = []
    camel: str = msgspec.field(name="camelCase", default="")


class Bare(Body):
    """A body under no key."""

    name: str = ""


STRICT, LENIENT = Reading(), Reading(forbid_unknown=False, lenient=True)


def read(document: Any, reading: Reading = STRICT) -> Thing:
    return decode(json.dumps(document).encode(), Thing, None, reading)


def refusal(document: Any, reading: Reading = STRICT) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read(document, reading)
    assert caught.value.kind == "body"
    return caught.value


def test_a_document_is_read_from_under_its_key() -> None:
    found = read({"thing": {"name": "n", "camelCase": "c", "parts": [{"name": "p", "more": 1}]}})
    assert found == Thing(name="n", camel="c", parts=[Part(name="p")])
    assert decode(b"{}", Bare, None, STRICT) == Bare()
    assert decode(b'{"elsewhere": {"name": "n"}}', Thing, None, STRICT, wrap="elsewhere").name == "n"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "'thing' is a required property"),
        ({"thing": {}}, "'name' is a required property"),
        ({"other": {"name": "n"}}, "Additional properties are not allowed ('other' was unexpected)"),
        ({"thing": {"name": "n", "x": 1}}, "Additional properties are not allowed ('x' was unexpected)"),
        ({"thing": {"name": "n"}, "y": 1}, "Additional properties are not allowed ('y' was unexpected)"),
        ({"thing": {"name": 5}}, "Invalid input for field/attribute name. Expected `str`, got `int`."),
        ({"thing": {"name": ""}}, "Invalid input for field/attribute name. Value: . '' is too short"),
        (
            {"thing": {"name": "n" * 256}},
            f"Invalid input for field/attribute name. Value: {'n' * 256}. '{'n' * 256}' is too long",
        ),
        ({"thing": {"name": "n", "count": "2"}}, "Invalid input for field/attribute count. Expected `int`, got `str`."),
        (
            {"thing": {"name": "n" * 5000}},
            "Invalid input for field/attribute name. Expected `str` of length <= 255.",
        ),
        (
            {"thing": {"name": "n", "count": 10}},
            "Invalid input for field/attribute count. Value: 10. 10 is greater than the maximum of 9",
        ),
        (
            {"thing": {"name": "n", "flag": "true"}},
            "Invalid input for field/attribute flag. Expected `bool`, got `str`.",
        ),
        (
            {"thing": {"name": "n", "camelCase": 1}},
            "Invalid input for field/attribute camelCase. Expected `str`, got `int`.",
        ),
        ({"thing": {"name": "n", "parts": [{}]}}, "'name' is a required property"),
        ({"thing": []}, "Invalid input for field/attribute thing. Expected `object`, got `array`."),
        ([], "Invalid request body. Expected `object`, got `array`."),
        (None, "Invalid request body. Expected `object`, got `null`."),
    ],
)
def test_what_does_not_fit_is_named(document: Any, message: str) -> None:
    assert refusal(document).message == message


def test_where_it_stood_is_told_to_the_trace() -> None:
    error = refusal({"thing": {"name": "n", "parts": [{"name": "p"}, {"name": 5}]}})
    assert error.detail == {"path": "$.thing.parts[1].name", "field": "name"}


def test_a_lenient_service_takes_text_for_numbers_and_passes_over_what_it_does_not_know() -> None:
    found = read({"thing": {"name": "n", "count": "2", "flag": "true", "ratio": "0.5", "x": 1}, "y": 2}, LENIENT)
    assert (found.count, found.flag, found.ratio) == (2, True, 0.5)
    assert refusal({"thing": {"name": "n", "count": "two"}}, LENIENT).detail["field"] == "count"


def test_left_out_and_null_are_not_the_same_where_it_matters() -> None:
    assert read({"thing": {"name": "n"}}).note is UNSET
    assert read({"thing": {"name": "n", "note": None}}).note is None
    assert msgspec.json.decode(encode(Thing(name="n"), None))["thing"].get("note", "absent") == "absent"


@pytest.mark.parametrize("text", ["5eed0000-0000-4000-8000-000000000001", "5EED000000004000800000000000000F"])
def test_an_id_may_be_written_with_and_without_dashes(text: str) -> None:
    assert read({"thing": {"name": "n", "other_id": text}}).other_id == text


@pytest.mark.parametrize(
    "text", ["", "x", "5eed0000-0000-4000-8000-00000000000", "5eed0000-0000-4000-8000-000000000001\n"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    assert refusal({"thing": {"name": "n", "other_id": text}}).detail["field"] == "other_id"


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"{]", b"thing", b"\xff\xfe", b'{"thing": {"name": "\xff"}}', b'{"thing": {"name": "n"}} {}', b"\0"],
)
def test_what_is_no_json_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        decode(raw, Thing, None, STRICT)
    assert caught.value.kind == "json"
    assert caught.value.message.startswith("Malformed JSON in the request body: ")


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(Invalid):
        decode(b'{"thing": {"name": "n", "x": ' + b"[" * 100_000, Thing, None, LENIENT)
    with pytest.raises(Invalid):
        decode(b"[" * 100_000, Thing, None, STRICT)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["thing", "name", "count", "parts", "note", "x", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(documents, st.sampled_from([STRICT, LENIENT]))
def test_any_document_is_read_or_refused_in_words(document: Any, reading: Reading) -> None:
    try:
        found = read(document, reading)
    except Invalid as error:
        found, told = None, (error.kind, bool(error.message))
    if found is None:
        assert told in (("body", True), ("json", True))
    else:
        assert 1 <= len(found.name) <= 255
        assert 1 <= found.count <= 9


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_words(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        decode(raw, Thing, None, STRICT)
    assert caught.value.message


def test_a_part_of_a_document_is_converted_by_the_same_rules() -> None:
    assert convert({"name": "n", "more": 1}, Part) == Part(name="n")
    with pytest.raises(Invalid, match="Invalid input for field/attribute name"):
        convert({"name": 5}, Part)


def test_an_answer_stands_under_its_key() -> None:
    assert encode(Bare(name="n"), None) == b'{"name":"n"}'
    assert msgspec.json.decode(encode(Thing(name="n"), None))["thing"]["name"] == "n"


class Choosy(Body, wrap="choosy"):
    name: Annotated[str | None, NotNull()] = None


def test_what_may_be_left_out_may_still_not_be_null() -> None:
    assert decode(b'{"choosy": {}}', Choosy, None, STRICT).name is None
    assert decode(b'{"choosy": {"name": "x"}}', Choosy, None, STRICT).name == "x"
    with pytest.raises(Invalid, match="name"):
        decode(b'{"choosy": {"name": null}}', Choosy, None, STRICT)
