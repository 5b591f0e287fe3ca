"""Descriptions of hosts: a file as hosts with cells and devices, and what is refused, in words."""

import pytest

from minicloud.base.errors import Invalid
from minicloud.core.compute.descriptions import read_lab

LAB = """
aggregates:
  - {name: fast, metadata: {ssd: "true"}}
hosts:
  - name: node
    count: 2
    zone: east
    aggregates: [fast]
    numa:
      - {cpus: "0-1", pinned: "2-5", threads: 2, memory_mb: 4096, pages: {2048: 1024}}
    devices:
      - {address: "0000:81:00.0", vendor_id: "8086", product_id: "1572", cell: 0, virtual_functions: 2}
  - {name: plain, vcpus: 4}
"""


def test_hosts_cells_and_devices_are_read() -> None:
    lab = read_lab(LAB, "lab.yaml")
    assert list(lab.by_name()) == ["node-1", "node-2", "plain"]
    [cell] = lab.hosts[0].cells()
    assert (cell.cpus, cell.pinned, cell.siblings) == ([0, 1], [2, 3, 4, 5], [[0, 1], [2, 3], [4, 5]])
    assert [(device.address, device.kind, device.parent) for device in lab.hosts[0].cards()] == [
        ("0000:81:00.0", "type-PF", None),
        ("0000:81:00.1", "type-VF", "0000:81:00.0"),
        ("0000:81:00.2", "type-VF", "0000:81:00.0"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hosts: [", "Cannot read lab.yaml"),
        ("hosts: []", "describes no hosts"),
        ("hosts: [{name: a}, {name: a}]", "Two hosts are described by the name a"),
        ("hosts: [{name: a, colour: red}]", "unknown field `colour`"),
        ("hosts: [{name: a, numa: [{cpus: '0-3', memory_mb: 1}, {cpus: '3', memory_mb: 1}]}]", "is in two cells"),
        ("hosts: [{name: a, vcpus: 2, numa: [{cpus: '0-3', memory_mb: 1}]}]", "has 2 vcpus, and its cells have 4"),
        ("hosts: [{name: a, numa: [{cpus: '3-0', memory_mb: 1}]}]", "Invalid inclusion expression"),
        ("hosts: [{name: a, devices: [{address: x, vendor_id: '1', product_id: '2', cell: 4}]}]", "is on cell 4"),
        ("just words", "Cannot use lab.yaml"),
    ],
)
def test_what_cannot_be_used_is_told(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        read_lab(text, "lab.yaml")
