-- Network: trunks, ports of floating addresses that lead inside, segments, further bindings of ports, topologies made on demand.

CREATE TABLE trunks (
    id               TEXT PRIMARY KEY,
    project_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL,
    port_id          TEXT NOT NULL REFERENCES ports (id),
    admin_state_up   INTEGER NOT NULL,
    status           TEXT NOT NULL,
    tags             TEXT NOT NULL,
    revision_number  INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
);
CREATE UNIQUE INDEX trunks_of_port ON trunks (port_id);
CREATE INDEX trunks_of_project ON trunks (project_id);

CREATE TABLE trunk_subports (
    port_id            TEXT PRIMARY KEY REFERENCES ports (id),
    trunk_id           TEXT NOT NULL REFERENCES trunks (id) ON DELETE CASCADE,
    segmentation_type  TEXT NOT NULL,
    segmentation_id    INTEGER NOT NULL,
    position           INTEGER NOT NULL
);
CREATE UNIQUE INDEX trunk_subports_once ON trunk_subports (trunk_id, segmentation_type, segmentation_id);

-- Ranges of ports, both ends included; inside there are equally many as outside, or a single one.
CREATE TABLE port_forwardings (
    id                   TEXT PRIMARY KEY,
    floatingip_id        TEXT NOT NULL REFERENCES floating_ips (id) ON DELETE CASCADE,
    internal_port_id     TEXT NOT NULL,
    internal_ip_address  TEXT NOT NULL,
    protocol             TEXT NOT NULL,
    external_first       INTEGER NOT NULL,
    external_last        INTEGER NOT NULL,
    internal_first       INTEGER NOT NULL,
    internal_last        INTEGER NOT NULL,
    description          TEXT NOT NULL,
    revision_number      INTEGER NOT NULL,
    created_at           TEXT NOT NULL,
    updated_at           TEXT NOT NULL
);
CREATE INDEX port_forwardings_of_floating ON port_forwardings (floatingip_id);
CREATE INDEX port_forwardings_to_port ON port_forwardings (internal_port_id);

CREATE TABLE network_segments (
    id                TEXT PRIMARY KEY,
    network_id        TEXT NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
    name              TEXT,
    description       TEXT,
    network_type      TEXT NOT NULL,
    physical_network  TEXT,
    segmentation_id   INTEGER,
    position          INTEGER NOT NULL,
    revision_number   INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL
);
CREATE UNIQUE INDEX network_segments_of_network ON network_segments (network_id, position);
CREATE INDEX network_segments_by_number ON network_segments (network_type, physical_network, segmentation_id);
-- The segment that each network had all along; its id is made out of the network's, of another version of UUIDs.
INSERT INTO network_segments (id, network_id, name, description, network_type, physical_network, segmentation_id, position,
                              revision_number, created_at, updated_at)
    SELECT substr(id, 1, 14) || '5' || substr(id, 16), id, NULL, NULL, network_type, physical_network, segmentation_id, 0,
           0, created_at, created_at
    FROM networks;

-- Hosts that a port might be bound to, beside the one where it is.
CREATE TABLE port_bindings (
    port_id    TEXT NOT NULL REFERENCES ports (id) ON DELETE CASCADE,
    host       TEXT NOT NULL,
    vnic_type  TEXT NOT NULL,
    profile    TEXT NOT NULL,
    PRIMARY KEY (port_id, host)
);

CREATE TABLE auto_topologies (
    project_id  TEXT PRIMARY KEY,
    network_id  TEXT NOT NULL,
    router_id   TEXT NOT NULL
);
