"""Signatures of OAuth 1.0a, held against the examples of RFC 5849 and against oauthlib's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import Client

from minicloud.base.errors import Invalid
from minicloud.core.identity.oauth1_signatures import METHODS, Signed, base_string, check, matches, parameters

HEADER = (
    'OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", '
    'oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH", '
    'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"'
)


def test_the_published_example() -> None:
    """RFC 5849, section 1.2: the photo is fetched."""
    signed = Signed(
        verb="GET",
        url="http://photos.example.net/photos?file=vacation.jpg&size=original",
        header=parameters(HEADER),
    )
    assert matches(signed, "kd94hf93k423kf44", "pfkkdhi9sl3r4s00")
    assert not matches(signed, "kd94hf93k423kf44", "another")
    assert not matches(signed, "another", "pfkkdhi9sl3r4s00")


def test_the_published_base_string() -> None:
    """RFC 5849, section 3.4.1.1."""
    signed = Signed(
        verb="POST",
        url="http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
        form=(("c2", ""), ("a3", "2 q")),
        header={
            "realm": "Example",
            "oauth_consumer_key": "9djdj82h48djs9d2",
            "oauth_token": "kkk9d7dh3k39sjv7",
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": "137131201",
            "oauth_nonce": "7d8f3e4a",
            "oauth_signature": "bYT5CMsGcbgUdFHObYMEfcx6bsw=",
        },
    )
    assert base_string(signed) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26"
        "oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D"
        "137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


text = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@settings(max_examples=50)
@given(
    text,
    text,
    text,
    st.sampled_from(["http://a.test/x", "https://a.test:443/y/z", "http://a.test:5000/v3?b=2&a=1"]),
    st.sampled_from(METHODS),
)
def test_what_oauthlib_signs_matches(key: str, secret: str, token_secret: str, url: str, method: str) -> None:
    client = Client(
        key,
        client_secret=secret,
        resource_owner_key="token",
        resource_owner_secret=token_secret,
        signature_method=method,
    )
    _, headers, _ = client.sign(url, http_method="POST")
    signed = Signed(url=url, header=parameters(headers["Authorization"]))
    assert matches(signed, secret, token_secret)
    assert not matches(signed, secret, token_secret + "x")


@pytest.mark.parametrize("header", [None, "", "Basic abc", "OAuth a=b", 'OAuth a="1", a="2"'])
def test_what_is_no_header_is_refused(header: str | None) -> None:
    with pytest.raises(Invalid):
        parameters(header)


@pytest.mark.parametrize(
    "changes",
    [
        {"oauth_signature_method": "RSA-SHA1"},
        {"oauth_version": "2.0"},
        {"oauth_timestamp": "137130000"},
        {"oauth_timestamp": "soon"},
        {"oauth_nonce": ""},
    ],
)
def test_another_way_or_another_time_is_refused(changes: dict[str, str]) -> None:
    signed = Signed(url="http://a.test/", header=parameters(HEADER) | changes)
    with pytest.raises(Invalid):
        check(signed, 137131202)
    check(Signed(url="http://a.test/", header=parameters(HEADER)), 137131202)
