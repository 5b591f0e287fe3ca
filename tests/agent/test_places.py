"""Places of disks and cards in the documents of a config drive, filled in by the host."""

from minicloud.agent.places import filled
from minicloud.agent.specs import ADDRESS_OF, BUS_OF
from minicloud.drivers.hypervisor import DeviceAddress


def test_a_document_tells_what_the_host_knows() -> None:
    def device(name: str) -> str:
        return f'{{"bus":"{BUS_OF.format(name)}","address":"{ADDRESS_OF.format(name)}"}}'

    text = "[" + ",".join(map(device, ("root", "ephemeral0", "gone"))) + "]"
    files = {"openstack/latest/meta_data.json": text.encode(), "openstack/latest/user_data": text.encode()}
    places = {
        "root": DeviceAddress(bus="pci", address="0000:01:00.0"),
        # As upstream: nobody tells where a disk is on other buses.
        "ephemeral0": DeviceAddress(bus="scsi"),
    }
    made = filled(files, places)
    assert made["openstack/latest/meta_data.json"].decode() == (
        '[{"bus":"pci","address":"0000:01:00.0"},{"bus":"scsi","address":"none"},{"bus":"none","address":"none"}]'
    )
    # What its owner wrote is left alone.
    assert made["openstack/latest/user_data"] == files["openstack/latest/user_data"]
