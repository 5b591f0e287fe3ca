"""Networks through openstacksdk, as its users have them: a way out for a server's port, step by step and back."""

from pathlib import Path

import pytest
from openstack.exceptions import ConflictException, ForbiddenException, NotFoundException

from tests.support.journeys import a_journey

pytestmark = [pytest.mark.journey, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def test_a_project_builds_its_own_way_out_and_takes_it_down_again(tmp_path: Path) -> None:
    with a_journey(tmp_path, driver="fake") as journey:
        journey.up()
        net = journey.connect("minicloud-demo").network
        public = net.find_network("public")
        inside = net.create_network(name="inside")
        subnet = net.create_subnet(network_id=inside.id, cidr="10.60.0.0/24", ip_version=4, dns_nameservers=["9.9.9.9"])
        router = net.create_router(name="way-out", external_gateway_info={"network_id": public.id})
        net.add_interface_to_router(router, subnet_id=subnet.id)
        port = net.create_port(network_id=inside.id, name="web")
        assert port.fixed_ips == [{"subnet_id": subnet.id, "ip_address": "10.60.0.3"}]
        floating = net.create_ip(floating_network_id=public.id, port_id=port.id)
        assert (floating.status, floating.fixed_ip_address, floating.router_id) == ("ACTIVE", "10.60.0.3", router.id)

        group = net.create_security_group(name="web")
        rule = net.create_security_group_rule(
            security_group_id=group.id,
            direction="ingress",
            protocol="tcp",
            port_range_min=80,
            port_range_max=80,
            remote_ip_prefix="192.0.2.7/24",
        )
        assert rule.normalized_cidr == "192.0.2.0/24"
        assert net.update_port(port, security_groups=[group.id]).security_group_ids == [group.id]
        net.set_tags(inside, ["lab"])
        assert [found.id for found in net.networks(tags="lab")] == [inside.id]
        with pytest.raises(ConflictException, match="There are one or more ports still in use on the network"):
            net.delete_network(inside)
        with pytest.raises(ForbiddenException):
            net.create_network(name="mine-for-all", is_shared=True)

        assert net.update_ip(floating, port_id=None).status == "DOWN"
        net.delete_ip(floating)
        net.delete_port(port)
        net.delete_security_group(group)
        net.remove_interface_from_router(router, subnet_id=subnet.id)
        net.delete_router(router)
        net.delete_network(inside)
        with pytest.raises(NotFoundException):
            net.get_network(inside.id)
        assert {found.name for found in net.networks()} == {"private", "public"}


def test_a_port_outlives_its_servers_and_serves_the_next_one(tmp_path: Path) -> None:
    with a_journey(tmp_path, driver="fake") as journey:
        journey.up()
        cloud = journey.connect("minicloud-demo")
        network = cloud.network.find_network("private")
        port = cloud.network.create_port(network_id=network.id, name="kept")
        image, flavor = cloud.image.find_image("minilinux").id, cloud.compute.find_flavor("m1.tiny").id
        for name in ("first", "second"):
            made = cloud.compute.create_server(
                name=name, image_id=image, flavor_id=flavor, networks=[{"port": port.id}]
            )
            server = cloud.compute.wait_for_server(made, interval=0.1, wait=60)
            assert [a["addr"] for a in server.addresses["private"]] == [port.fixed_ips[0]["ip_address"]]
            held = cloud.network.get_port(port.id)
            assert (held.device_id, held.status, held.mac_address) == (server.id, "ACTIVE", port.mac_address)
            cloud.compute.delete_server(server)
            cloud.compute.wait_for_delete(server, interval=0.1, wait=60)
            free = cloud.network.get_port(port.id)
            assert (free.device_id, free.device_owner, free.status) == ("", "", "DOWN")
            assert free.fixed_ips == port.fixed_ips
