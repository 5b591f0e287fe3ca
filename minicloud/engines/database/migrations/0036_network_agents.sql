-- Network: what administrators say of agents and what each serves, templates of rules for new security groups, flavors, metering.

-- ``deleted_at`` hides an agent until it is heard of again.
CREATE TABLE network_agents (
    host            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    admin_state_up  INTEGER NOT NULL,
    description     TEXT,
    deleted_at      TEXT,
    PRIMARY KEY (host, kind)
);

-- What an agent serves, or does not, where that is not as it would be by itself.
CREATE TABLE network_hostings (
    host       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    object_id  TEXT NOT NULL,
    hosted     INTEGER NOT NULL,
    PRIMARY KEY (object_id, kind, host)
);

CREATE TABLE default_security_group_rules (
    id                       TEXT PRIMARY KEY,
    description              TEXT NOT NULL,
    direction                TEXT NOT NULL,
    ethertype                TEXT NOT NULL,
    protocol                 TEXT,
    port_range_min           INTEGER,
    port_range_max           INTEGER,
    remote_ip_prefix         TEXT,
    remote_group_id          TEXT,
    remote_address_group_id  TEXT,
    used_in_default_sg       INTEGER NOT NULL,
    used_in_non_default_sg   INTEGER NOT NULL,
    revision_number          INTEGER NOT NULL,
    created_at               TEXT NOT NULL,
    updated_at               TEXT NOT NULL
);
INSERT INTO default_security_group_rules (id, description, direction, ethertype, remote_group_id, used_in_default_sg,
                                          used_in_non_default_sg, revision_number, created_at, updated_at)
    VALUES
    ('2f1ab2a8-6f4c-4d9a-9f7e-0c1d6c5b0e01', 'Legacy default SG rule for egress traffic', 'egress', 'IPv4', NULL, 1, 1, 0,
     '2024-01-01T00:00:00.000000Z', '2024-01-01T00:00:00.000000Z'),
    ('2f1ab2a8-6f4c-4d9a-9f7e-0c1d6c5b0e02', 'Legacy default SG rule for egress traffic', 'egress', 'IPv6', NULL, 1, 1, 0,
     '2024-01-01T00:00:00.000000Z', '2024-01-01T00:00:00.000000Z'),
    ('2f1ab2a8-6f4c-4d9a-9f7e-0c1d6c5b0e03', 'Legacy default SG rule for ingress traffic', 'ingress', 'IPv4', 'PARENT', 1, 0, 0,
     '2024-01-01T00:00:00.000000Z', '2024-01-01T00:00:00.000000Z'),
    ('2f1ab2a8-6f4c-4d9a-9f7e-0c1d6c5b0e04', 'Legacy default SG rule for ingress traffic', 'ingress', 'IPv6', 'PARENT', 1, 0, 0,
     '2024-01-01T00:00:00.000000Z', '2024-01-01T00:00:00.000000Z');

CREATE TABLE network_flavors (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    description   TEXT NOT NULL,
    service_type  TEXT NOT NULL,
    enabled       INTEGER NOT NULL
);

CREATE TABLE service_profiles (
    id           TEXT PRIMARY KEY,
    description  TEXT NOT NULL,
    driver       TEXT NOT NULL,
    metainfo     TEXT NOT NULL,
    enabled      INTEGER NOT NULL
);

CREATE TABLE network_flavor_profiles (
    flavor_id   TEXT NOT NULL REFERENCES network_flavors (id) ON DELETE CASCADE,
    profile_id  TEXT NOT NULL REFERENCES service_profiles (id),
    PRIMARY KEY (flavor_id, profile_id)
);

CREATE TABLE metering_labels (
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL,
    name         TEXT NOT NULL,
    description  TEXT NOT NULL,
    shared       INTEGER NOT NULL
);
CREATE INDEX metering_labels_of_project ON metering_labels (project_id);

CREATE TABLE metering_label_rules (
    id                     TEXT PRIMARY KEY,
    metering_label_id      TEXT NOT NULL REFERENCES metering_labels (id) ON DELETE CASCADE,
    direction              TEXT NOT NULL,
    remote_ip_prefix       TEXT,
    source_ip_prefix       TEXT,
    destination_ip_prefix  TEXT,
    excluded               INTEGER NOT NULL
);
CREATE INDEX metering_label_rules_of_label ON metering_label_rules (metering_label_id);
