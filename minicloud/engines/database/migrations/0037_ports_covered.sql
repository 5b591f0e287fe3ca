-- What listings of servers say of their ports and addresses is read from indexes alone.
DROP INDEX ports_of_device;
CREATE INDEX ports_of_device ON ports (device_id, device_index, id, device_owner, network_id, mac_address);
DROP INDEX ip_allocations_of_port;
CREATE INDEX ip_allocations_of_port ON ip_allocations (port_id, position, address);
