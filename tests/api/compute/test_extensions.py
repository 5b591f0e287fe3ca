"""Extensions: the frozen list."""

import pytest

from tests.support.compute import a_compute_service

pytestmark = pytest.mark.anyio
V = "/compute/v2.1"


async def test_extensions_name_the_parts_that_are_there() -> None:
    async with a_compute_service() as door:
        ann = door.as_(mount=V)
        found = {one["alias"]: one for one in (await ann.get("/extensions")).json()["extensions"]}
        assert {"os-keypairs", "os-quota-sets", "os-flavor-access", "os-availability-zone", "os-hosts"} <= set(found)
        assert set(found["os-keypairs"]) == {"alias", "name", "description", "links", "namespace", "updated"}
        assert (await ann.get("/extensions/os-keypairs")).json() == {"extension": found["os-keypairs"]}
        assert found["os-keypairs"]["name"] == "Keypairs"
        assert (await ann.get("/extensions/servers")).status_code == 404
