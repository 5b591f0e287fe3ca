"""Signatures, held against the examples that AWS publishes."""

import msgspec
import pytest

from minicloud.base.errors import Invalid
from minicloud.core.identity.ec2_signatures import Signed, matches, signature

VERSION_2 = Signed(
    access="AKIAIOSFODNN7EXAMPLE",
    signature="i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=",
    host="elasticmapreduce.amazonaws.com",
    verb="GET",
    path="/",
    params={
        "AWSAccessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "Action": "DescribeJobFlows",
        "SignatureVersion": "2",
        "Timestamp": "2011-10-03T15:19:30",
        "Version": "2009-03-31",
    },
)
VERSION_4 = Signed(
    access="AKIDEXAMPLE",
    signature="5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    host="iam.amazonaws.com",
    verb="GET",
    path="/",
    params={"Action": "ListUsers", "Version": "2010-05-08"},
    headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Host": "iam.amazonaws.com",
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature=whatever",
    },
    body_hash="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)


def test_the_published_examples_match() -> None:
    assert matches(VERSION_2, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    assert matches(VERSION_4, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


@pytest.mark.parametrize("signed", [VERSION_2, VERSION_4])
def test_another_secret_path_or_parameter_does_not_match(signed: Signed) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert not matches(signed, "another")
    assert not matches(msgspec.structs.replace(signed, path="/other"), secret)
    assert not matches(msgspec.structs.replace(signed, params={**signed.params, "Version": "1"}), secret)


def test_a_host_with_a_port_may_have_been_signed_without() -> None:
    assert matches(
        msgspec.structs.replace(VERSION_2, host=f"{VERSION_2.host}:443"), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    )


def test_older_versions_sign_less() -> None:
    zero = Signed(access="a", params={"SignatureVersion": "0", "Action": "x", "Timestamp": "y"})
    one = Signed(access="a", params={"SignatureVersion": "1", "Action": "x"})
    assert matches(msgspec.structs.replace(zero, signature=signature(zero, "s")), "s")
    assert signature(one, "s") != signature(zero, "s")


@pytest.mark.parametrize("params", [{"SignatureVersion": "3"}, {}, {"X-Amz-Algorithm": "AWS4-HMAC-SHA256"}])
def test_what_is_no_signature_is_refused_in_words(params: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        signature(Signed(access="a", params=params), "s")
