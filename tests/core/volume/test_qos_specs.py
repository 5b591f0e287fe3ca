"""What the hypervisor holds a volume to: the specs of its type, per GiB where they say so, unless the backend holds it."""

import pytest

from minicloud.core.volume import qos_specs, types
from minicloud.core.volume.volumes import Volume
from minicloud.engines.database import Transaction
from minicloud.engines.database.inline import InlineDatabase

pytestmark = pytest.mark.anyio
SPECS = {"total_iops_sec_per_gb": "30", "total_iops_sec_per_gb_min": "100", "read_bytes_sec": "9"}


@pytest.mark.parametrize(
    ("consumer", "size", "expected"),
    [
        ("front-end", 2, {"total_iops_sec": "100", "read_bytes_sec": "9"}),
        ("both", 10, {"total_iops_sec": "300", "read_bytes_sec": "9"}),
        ("back-end", 10, None),
    ],
)
async def test_specs_count_for_each_gib(consumer: str, size: int, expected: dict[str, str] | None) -> None:
    def story(tx: Transaction) -> None:
        kind = types.ensure_default(tx)
        volume = Volume(id="v", project_id="p", user_id="u", size=size, volume_type_id=kind.id, created_at=tx.now)
        assert qos_specs.of_guest(tx, volume) is None
        found = qos_specs.create(tx, "fast", consumer, SPECS)
        qos_specs.associate(tx, found, kind)
        assert qos_specs.of_guest(tx, volume) == expected

    await InlineDatabase().write(story)
