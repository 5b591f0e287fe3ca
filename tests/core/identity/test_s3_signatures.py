"""Signatures of requests to S3, held against the examples that AWS publishes."""

import base64

import pytest

from minicloud.base.errors import Unauthenticated
from minicloud.core.identity.s3_signatures import SignedText

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def _signed(text: str, signature: str) -> SignedText:
    token = base64.urlsafe_b64encode(text.encode()).decode()
    return SignedText(access="AKIAIOSFODNN7EXAMPLE", token=token, signature=signature)


def test_the_published_example_of_version_2() -> None:
    """Signing and authenticating REST requests: the object GET."""
    text = "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg"
    signed = _signed(text, "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=")
    assert signed.made_with(SECRET)
    assert not signed.made_with("another")


def test_the_published_example_of_version_4() -> None:
    """Signature calculations for the authorization header: GET Object."""
    text = (
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    signed = _signed(text, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    assert signed.made_with(SECRET)
    assert not signed.made_with("another")


@pytest.mark.parametrize(
    "text",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA1\na\nb/c/s3/aws4_request\nd",
        "AWS4-HMAC-SHA256\na\nb/c/ec2/aws4_request\nd",
        "AWS4-HMAC-SHA256\na\nb/c/s3/aws2_request\nd",
    ],
)
def test_what_is_no_text_to_sign_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        _signed(text, "x").made_with(SECRET)


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        SignedText(access="x", token="a").made_with(SECRET)


def test_the_moment_of_signing_is_its_own_word() -> None:
    assert SignedText(access="x").timestamp() is None
    assert SignedText(access="x", headers={"X-Amz-Date": "20130524T000000Z"}).timestamp() == "20130524T000000Z"
