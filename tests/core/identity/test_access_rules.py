"""Paths of access rules: a star is one segment, two are any rest, braces name a segment."""

import pytest

from minicloud.core.identity.access_rules import covers


@pytest.mark.parametrize(
    ("pattern", "path", "means"),
    [
        ("/v2.1/servers", "/v2.1/servers", True),
        ("/v2.1/servers", "/v2x1/servers", False),
        ("/v2.1/servers", "/v2.1/servers/1", False),
        ("/v2.1/servers/*/ips", "/v2.1/servers/1/ips", True),
        ("/v2.1/servers/*/ips", "/v2.1/servers/1/2/ips", False),
        ("/v2.1/servers/{server_id}", "/v2.1/servers/1", True),
        ("/v2.1/servers/{server_id}", "/v2.1/servers/", False),
        ("/v2.1/**", "/v2.1/servers/1/ips", True),
        ("/**", "/anything/at/all", True),
        ("/a{b", "/a{b", True),
        ("/a(b", "/a(b", True),
    ],
)
def test_patterns(pattern: str, path: str, means: bool) -> None:
    assert covers(pattern, path) is means
