"""The places in an endpoint's address."""

import pytest

from minicloud.base.errors import Invalid
from minicloud.core.identity.catalog import check_url, fill


def test_places_are_filled_or_the_endpoint_is_left_out() -> None:
    values = {"project_id": "p", "tenant_id": "p", "public_url": "http://here"}
    assert fill("$(public_url)s/v3/$(project_id)s", values) == "http://here/v3/p"
    assert fill("http://x/AUTH_%(tenant_id)s/%20/100%", values) == "http://x/AUTH_p/%20/100%"
    assert fill("http://x/$(user_id)s", values) is None


@pytest.mark.parametrize("url", ["http://x/$(secret)s", "http://x/%(password)s", "http://x/$(project_id)", "http://%("])
def test_places_that_nobody_could_fill_are_refused(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url)
