-- Network: networks, subnets with their addresses, ports, security groups, routers, floating addresses, quotas.
-- An address as a key is hexadecimal text of a fixed width (8 digits for IPv4, 32 for IPv6), so that text sorts as numbers do.

CREATE TABLE networks (
    id                       TEXT PRIMARY KEY,
    project_id               TEXT NOT NULL,
    name                     TEXT NOT NULL,
    description              TEXT NOT NULL,
    admin_state_up           INTEGER NOT NULL,
    status                   TEXT NOT NULL,
    shared                   INTEGER NOT NULL,
    external                 INTEGER NOT NULL,
    is_default               INTEGER NOT NULL,
    mtu                      INTEGER NOT NULL,
    port_security_enabled    INTEGER NOT NULL,
    network_type             TEXT NOT NULL,
    physical_network         TEXT,
    segmentation_id          INTEGER,
    availability_zone_hints  TEXT NOT NULL,
    tags                     TEXT NOT NULL,
    revision_number          INTEGER NOT NULL,
    created_at               TEXT NOT NULL,
    updated_at               TEXT NOT NULL
);
CREATE INDEX networks_of_project ON networks (project_id);
CREATE INDEX networks_by_name ON networks (name);
CREATE UNIQUE INDEX networks_by_segment ON networks (network_type, COALESCE(physical_network, ''), segmentation_id);
CREATE INDEX networks_external ON networks (external) WHERE external = 1;
CREATE INDEX networks_shared ON networks (shared) WHERE shared = 1;

CREATE TABLE subnets (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    network_id         TEXT NOT NULL REFERENCES networks (id),
    name               TEXT NOT NULL,
    description        TEXT NOT NULL,
    ip_version         INTEGER NOT NULL,
    cidr               TEXT NOT NULL,
    gateway_ip         TEXT,
    enable_dhcp        INTEGER NOT NULL,
    allocation_pools   TEXT NOT NULL,
    dns_nameservers    TEXT NOT NULL,
    host_routes        TEXT NOT NULL,
    ipv6_ra_mode       TEXT,
    ipv6_address_mode  TEXT,
    subnetpool_id      TEXT,
    tags               TEXT NOT NULL,
    revision_number    INTEGER NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE INDEX subnets_of_network ON subnets (network_id, created_at, id);
CREATE INDEX subnets_of_project ON subnets (project_id);

-- What is free in a subnet's allocation pools: disjoint ranges that never touch. An allocation takes from one, a release mends them.
CREATE TABLE ip_ranges (
    subnet_id  TEXT NOT NULL REFERENCES subnets (id) ON DELETE CASCADE,
    first      TEXT NOT NULL,
    last       TEXT NOT NULL,
    PRIMARY KEY (subnet_id, first)
);

CREATE TABLE ports (
    id                     TEXT PRIMARY KEY,
    project_id             TEXT NOT NULL,
    network_id             TEXT NOT NULL REFERENCES networks (id),
    name                   TEXT NOT NULL,
    description            TEXT NOT NULL,
    admin_state_up         INTEGER NOT NULL,
    status                 TEXT NOT NULL,
    mac_address            TEXT NOT NULL,
    device_id              TEXT NOT NULL,
    device_owner           TEXT NOT NULL,
    device_index           INTEGER NOT NULL,
    host                   TEXT NOT NULL,
    vnic_type              TEXT NOT NULL,
    profile                TEXT NOT NULL,
    port_security_enabled  INTEGER NOT NULL,
    allowed_address_pairs  TEXT NOT NULL,
    hostname               TEXT NOT NULL,
    made_for_server        INTEGER NOT NULL,
    tags                   TEXT NOT NULL,
    revision_number        INTEGER NOT NULL,
    created_at             TEXT NOT NULL,
    updated_at             TEXT NOT NULL
);
CREATE UNIQUE INDEX ports_by_mac ON ports (network_id, mac_address);
CREATE INDEX ports_of_project ON ports (project_id);
CREATE INDEX ports_of_device ON ports (device_id);
CREATE INDEX ports_on_host ON ports (host, network_id);
CREATE INDEX ports_of_owner ON ports (network_id, device_owner);

CREATE TABLE ip_allocations (
    subnet_id   TEXT NOT NULL REFERENCES subnets (id),
    address     TEXT NOT NULL,
    port_id     TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    network_id  TEXT NOT NULL,
    position    INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, address)
);
CREATE INDEX ip_allocations_of_port ON ip_allocations (port_id, position);
CREATE INDEX ip_allocations_by_address ON ip_allocations (address);

CREATE TABLE security_groups (
    id               TEXT PRIMARY KEY,
    project_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL,
    stateful         INTEGER NOT NULL,
    is_default       INTEGER NOT NULL,
    tags             TEXT NOT NULL,
    revision_number  INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
);
CREATE INDEX security_groups_of_project ON security_groups (project_id, name);
CREATE UNIQUE INDEX security_groups_default ON security_groups (project_id) WHERE is_default = 1;

CREATE TABLE security_group_rules (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    security_group_id  TEXT NOT NULL REFERENCES security_groups (id) ON DELETE CASCADE,
    description        TEXT NOT NULL,
    direction          TEXT NOT NULL,
    ethertype          TEXT NOT NULL,
    protocol           TEXT,
    port_range_min     INTEGER,
    port_range_max     INTEGER,
    remote_ip_prefix   TEXT,
    remote_group_id    TEXT,
    revision_number    INTEGER NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE INDEX security_group_rules_of_group ON security_group_rules (security_group_id, created_at, id);
CREATE INDEX security_group_rules_of_project ON security_group_rules (project_id);
CREATE INDEX security_group_rules_by_remote ON security_group_rules (remote_group_id);

CREATE TABLE port_security_groups (
    port_id            TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    security_group_id  TEXT NOT NULL REFERENCES security_groups (id),
    PRIMARY KEY (port_id, security_group_id)
);
CREATE INDEX port_security_groups_by_group ON port_security_groups (security_group_id);

CREATE TABLE routers (
    id                       TEXT PRIMARY KEY,
    project_id               TEXT NOT NULL,
    name                     TEXT NOT NULL,
    description              TEXT NOT NULL,
    admin_state_up           INTEGER NOT NULL,
    status                   TEXT NOT NULL,
    gateway_port_id          TEXT,
    enable_snat              INTEGER NOT NULL,
    routes                   TEXT NOT NULL,
    availability_zone_hints  TEXT NOT NULL,
    tags                     TEXT NOT NULL,
    revision_number          INTEGER NOT NULL,
    created_at               TEXT NOT NULL,
    updated_at               TEXT NOT NULL
);
CREATE INDEX routers_of_project ON routers (project_id);

CREATE TABLE floating_ips (
    id                   TEXT PRIMARY KEY,
    project_id           TEXT NOT NULL,
    description          TEXT NOT NULL,
    floating_network_id  TEXT NOT NULL,
    floating_ip_address  TEXT NOT NULL,
    floating_port_id     TEXT NOT NULL,
    port_id              TEXT,
    fixed_ip_address     TEXT,
    router_id            TEXT,
    status               TEXT NOT NULL,
    tags                 TEXT NOT NULL,
    revision_number      INTEGER NOT NULL,
    created_at           TEXT NOT NULL,
    updated_at           TEXT NOT NULL
);
CREATE INDEX floating_ips_of_project ON floating_ips (project_id);
CREATE INDEX floating_ips_by_port ON floating_ips (port_id);
CREATE INDEX floating_ips_by_router ON floating_ips (router_id);
CREATE INDEX floating_ips_by_address ON floating_ips (floating_ip_address);

CREATE TABLE network_quotas (
    project_id  TEXT NOT NULL,
    resource    TEXT NOT NULL,
    quota       INTEGER NOT NULL,
    PRIMARY KEY (project_id, resource)
);
