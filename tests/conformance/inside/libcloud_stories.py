"""Drives a cloud through apache-libcloud, step after step, and prints ``outcome step`` for each: ``libcloud_stories.py URL PASSWORD``.

A step may use what those before it made. Why one failed goes where logs go.
"""

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from libcloud.compute.drivers.openstack import OpenStackSecurityGroup
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider, StorageVolumeState, VolumeSnapshotState

PATIENCE_S = 60.0
Made = dict[str, Any]
Step = Callable[[Any, Made], None]
STEPS: list[Step] = []


def step(made: Step) -> Step:
    """Mark a step; steps are taken in the order in which they stand."""
    STEPS.append(made)
    return made


def _until(what: str, holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(0.1)


def _state(driver: Any, node: Any, wanted: str) -> None:
    _until(f"the node is {wanted}", lambda: driver.ex_get_node_details(node.id).state == wanted)


@step
def sizes_images_and_places_are_listed(driver: Any, made: Made) -> None:
    made["size"] = next(size for size in driver.list_sizes() if size.name == "m1.tiny")
    made["bigger"] = next(size for size in driver.list_sizes() if size.name == "m1.small")
    made["image"] = driver.get_image(driver.list_images()[0].id)
    assert driver.list_locations()
    assert driver.ex_get_size(made["size"].id).ram == 512


@step
def a_key_is_made_and_imported(driver: Any, made: Made) -> None:
    pair = driver.create_key_pair("made")
    assert pair.private_key
    driver.import_key_pair_from_string("imported", pair.public_key)
    assert {"made", "imported"} <= {key.name for key in driver.list_key_pairs()}
    made["key"] = driver.get_key_pair("imported")


@step
def a_network_with_a_subnet_and_a_router(driver: Any, made: Made) -> None:
    made["network"] = driver.ex_create_network("mine")
    made["subnet"] = driver.ex_create_subnet("mine", made["network"], "10.44.0.0/24")
    assert driver.ex_update_subnet(made["subnet"], description="my own").name == "mine"
    public = next(one for one in driver.ex_list_networks() if one.name == "public")
    made["router"] = driver.ex_create_router("mine", external_gateway_info={"network_id": public.id})
    assert driver.ex_add_router_subnet(made["router"], made["subnet"])
    assert "mine" in {one.name for one in driver.ex_list_routers()}


@step
def a_security_group_with_a_rule(driver: Any, made: Made) -> None:
    group = made["group"] = driver.ex_create_security_group("web", "a web server")
    assert isinstance(group, OpenStackSecurityGroup)
    rule = driver.ex_create_security_group_rule(group, "tcp", 80, 81, cidr="0.0.0.0/0")
    found = next(one for one in driver.ex_list_security_groups() if one.id == group.id)
    assert rule.id in {one.id for one in found.rules}
    assert driver.ex_delete_security_group_rule(rule)


@step
def a_server_group(driver: Any, made: Made) -> None:
    group = driver.ex_add_server_group("apart", "anti-affinity")
    assert driver.ex_get_server_group(group.id).name == "apart"
    assert driver.ex_del_server_group(group)


@step
def a_node_is_made(driver: Any, made: Made) -> None:
    node = driver.create_node(
        name="web",
        size=made["size"],
        image=made["image"],
        networks=[made["network"]],
        ex_keyname="imported",
        ex_security_groups=[made["group"]],
        ex_metadata={"a": "1"},
        ex_userdata="#!/bin/sh\n",
        ex_config_drive=True,
    )
    ((made["node"], addresses),) = driver.wait_until_running(
        [node], wait_period=0.2, timeout=60, ssh_interface="private_ips"
    )
    assert addresses[0].startswith("10.44.0.")
    assert made["node"].id in {one.id for one in driver.list_nodes()}
    assert made["node"].extra["metadata"] == {"a": "1"}
    made["project"] = made["node"].extra["tenantId"]


@step
def its_ports_groups_metadata_and_console_are_told(driver: Any, made: Made) -> None:
    node = made["node"]
    (port,) = driver.ex_get_node_ports(node)
    assert driver.ex_get_port(port.id).extra["fixed_ips"][0]["subnet_id"] == made["subnet"].id
    assert [group.name for group in driver.ex_get_node_security_groups(node)] == ["web"]
    assert driver.ex_set_metadata(node, {"b": "2"}) == {"b": "2"}
    assert driver.ex_get_metadata(node)["b"] == "2"
    assert driver.ex_set_server_name(node, "site")
    assert driver.ex_get_node_details(node.id).name == "site"
    assert "output" in driver.ex_get_console_output(node)


@step
def it_is_stopped_started_rebooted_paused_and_suspended(driver: Any, made: Made) -> None:
    node = made["node"]
    for act, wanted in (
        (driver.ex_stop_node, NodeState.STOPPED),
        (driver.ex_start_node, NodeState.RUNNING),
        (driver.reboot_node, NodeState.RUNNING),
        (driver.ex_hard_reboot_node, NodeState.RUNNING),
        (driver.ex_pause_node, NodeState.UNKNOWN),
        (driver.ex_unpause_node, NodeState.RUNNING),
        (driver.ex_suspend_node, NodeState.SUSPENDED),
        (driver.ex_resume_node, NodeState.RUNNING),
    ):
        assert act(node), act.__name__
        _state(driver, node, wanted)
        _until("nothing is done to it", lambda: driver.ex_get_node_details(node.id).extra["task_state"] is None)


@step
def it_is_resized_and_rescued(driver: Any, made: Made) -> None:
    node = made["node"]
    assert driver.ex_resize(node, made["bigger"])
    _until("it waits to be confirmed", lambda: driver.ex_get_node_details(node.id).extra["vm_state"] == "resized")
    assert driver.ex_confirm_resize(node)
    _state(driver, node, NodeState.RUNNING)
    assert driver.ex_rescue(node)
    _until("it is rescued", lambda: driver.ex_get_node_details(node.id).extra["vm_state"] == "rescued")
    assert driver.ex_unrescue(node)
    _state(driver, node, NodeState.RUNNING)


@step
def it_is_rebuilt(driver: Any, made: Made) -> None:
    assert driver.ex_rebuild(made["node"], made["image"])
    _until("it is rebuilt", lambda: driver.ex_get_node_details(made["node"].id).extra["task_state"] is None)


@step
def another_card_comes_and_goes(driver: Any, made: Made) -> None:
    port = driver.ex_create_port(made["network"], name="second")
    assert driver.ex_attach_port_interface(made["node"], port)
    _until("there are two", lambda: len(driver.ex_get_node_ports(made["node"])) == 2)
    assert driver.ex_detach_port_interface(made["node"], port)
    _until("there is one", lambda: len(driver.ex_get_node_ports(made["node"])) == 1)
    assert driver.ex_delete_port(port)


@step
def a_floating_address_comes_and_goes(driver: Any, made: Made) -> None:
    pool = next(one for one in driver.ex_list_floating_ip_pools() if one.name == "public")
    address = driver.ex_create_floating_ip(pool.name)
    assert driver.ex_attach_floating_ip_to_node(made["node"], address)
    # libcloud goes by the number: those of 172.16.0.0/12 are private to it.
    _until("it is told", lambda: address.ip_address in driver.ex_get_node_details(made["node"].id).private_ips)
    assert driver.ex_get_floating_ip(address.ip_address).get_node_id() == made["node"].id
    assert driver.ex_detach_floating_ip_from_node(made["node"], address)
    assert driver.ex_delete_floating_ip(address)


@step
def a_volume_is_attached_frozen_and_copied(driver: Any, made: Made) -> None:
    volume = driver.create_volume(1, "data", ex_volume_type=None)
    _until("it is available", lambda: driver.ex_get_volume(volume.id).state == StorageVolumeState.AVAILABLE)
    assert driver.attach_volume(made["node"], volume, device="auto")
    _until("it is in use", lambda: driver.ex_get_volume(volume.id).state == StorageVolumeState.INUSE)
    assert driver.detach_volume(driver.ex_get_volume(volume.id))
    _until("it is available", lambda: driver.ex_get_volume(volume.id).state == StorageVolumeState.AVAILABLE)
    frozen = driver.create_volume_snapshot(volume, "then")
    _until("it is frozen", lambda: driver.ex_get_snapshot(frozen.id).state == VolumeSnapshotState.AVAILABLE)
    assert [one.id for one in driver.list_volume_snapshots(volume)] == [frozen.id]
    copy = driver.create_volume(1, "copy", snapshot=frozen)
    _until("it is copied", lambda: driver.ex_get_volume(copy.id).state == StorageVolumeState.AVAILABLE)
    assert driver.destroy_volume(copy)
    assert driver.destroy_volume_snapshot(frozen)
    _until("the snapshot is gone", lambda: not driver.ex_list_snapshots())
    assert driver.destroy_volume(volume)
    _until("the volumes are gone", lambda: not driver.list_volumes())


@step
def a_node_from_a_volume(driver: Any, made: Made) -> None:
    disk = {"boot_index": 0, "uuid": made["image"].id, "source_type": "image", "destination_type": "volume"}
    node = driver.create_node(
        name="durable",
        size=made["size"],
        networks=[made["network"]],
        ex_blockdevicemappings=[{**disk, "volume_size": 1, "delete_on_termination": True}],
    )
    _state(driver, node, NodeState.RUNNING)
    assert driver.destroy_node(node)
    _until("its volume is gone", lambda: not driver.list_volumes())


@step
def an_image_is_made_of_the_node_shared_and_changed(driver: Any, made: Made) -> None:
    image = driver.create_image(made["node"], "frozen")
    _until("it is active", lambda: driver.get_image(image.id).extra["status"] == "active")
    changed = driver.ex_update_image(image.id, [{"op": "replace", "path": "/visibility", "value": "shared"}])
    assert changed.extra["visibility"] == "shared"
    member = driver.ex_create_image_member(image.id, "0123456789abcdef0123456789abcdef")
    assert driver.ex_get_image_member(image.id, member.id).state == "pending"
    assert driver.delete_image(image)


@step
def quotas_are_told(driver: Any, made: Made) -> None:
    project = made["project"]
    assert driver.ex_get_quota_set(project).cores.limit == 20
    assert driver.ex_get_volume_quotas(project).volumes.limit == 10
    assert driver.ex_get_network_quotas(project).network.limit == 100


@step
def all_is_taken_away(driver: Any, made: Made) -> None:
    assert driver.destroy_node(made["node"])
    _until("there is no node", lambda: not driver.list_nodes())
    assert driver.ex_del_router_subnet(made["router"], made["subnet"])
    assert driver.ex_delete_router(made["router"])
    assert driver.ex_delete_subnet(made["subnet"])
    assert driver.ex_delete_network(made["network"])
    assert driver.ex_delete_security_group(made["group"])
    assert driver.delete_key_pair(made["key"])


def main(url: str, password: str) -> None:
    driver = get_driver(Provider.OPENSTACK)(
        "admin",
        password,
        ex_force_auth_url=f"{url}/identity",
        ex_force_auth_version="3.x_password",
        ex_tenant_name="admin",
        ex_domain_name="Default",
        ex_tenant_domain_id="default",
        ex_force_service_region="RegionOne",
        api_version="2.2",
    )
    made: Made = {}
    for one in STEPS:
        name = one.__name__
        try:
            one(driver, made)
            print("passed", name, flush=True)
        except Exception:  # noqa: BLE001 - whatever goes wrong, the next step is tried
            print("failed", name, flush=True)
            print(f"{name}\n{traceback.format_exc()}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
