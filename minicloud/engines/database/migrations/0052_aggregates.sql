-- Groups of hosts and groups of servers, what hosts are made of in detail, and who sits on which part of them.

CREATE TABLE aggregates (
    id          INTEGER PRIMARY KEY,
    uuid        TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL UNIQUE,
    metadata    TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT
);

CREATE TABLE aggregate_hosts (
    aggregate_id  INTEGER NOT NULL REFERENCES aggregates (id) ON DELETE CASCADE,
    host          TEXT NOT NULL,
    position      INTEGER NOT NULL,
    PRIMARY KEY (aggregate_id, host)
);
CREATE INDEX aggregate_hosts_by_host ON aggregate_hosts (host);

CREATE TABLE server_groups (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    name        TEXT NOT NULL,
    policy      TEXT NOT NULL,
    rules       TEXT NOT NULL,
    created_at  TEXT NOT NULL
);
CREATE INDEX server_groups_of_project ON server_groups (project_id, created_at, id);

-- A server is in one group at most, from its birth to its end.
CREATE TABLE server_group_members (
    server_id  TEXT PRIMARY KEY,
    group_id   TEXT NOT NULL REFERENCES server_groups (id) ON DELETE CASCADE,
    user_id    TEXT NOT NULL
);
CREATE INDEX server_group_members_of_group ON server_group_members (group_id);

-- What a host is made of in detail, as JSON: NUMA cells, PCI devices, CPU features; and the ratios it offers by itself.
CREATE TABLE host_details (
    host          TEXT PRIMARY KEY,
    host_ip       TEXT NOT NULL,
    cpu_features  TEXT NOT NULL,
    cells         TEXT NOT NULL,
    devices       TEXT NOT NULL,
    metrics       TEXT NOT NULL,
    cpu_ratio     REAL NOT NULL,
    ram_ratio     REAL NOT NULL,
    disk_ratio    REAL NOT NULL
);

-- Which host CPUs, pages and PCI devices a server sits on.
CREATE TABLE server_fits (
    server_id  TEXT PRIMARY KEY,
    host       TEXT NOT NULL,
    cells      TEXT NOT NULL,
    devices    TEXT NOT NULL
);
CREATE INDEX server_fits_on_host ON server_fits (host);

-- Builds that failed on a host since the last one that worked.
CREATE TABLE build_failures (
    host      TEXT PRIMARY KEY,
    failures  INTEGER NOT NULL
);

-- Hosts at work, without reading any server's whole row: asked for every server that is placed.
CREATE INDEX servers_at_work ON servers (host, task_state, vm_state) WHERE task_state IS NOT NULL AND host IS NOT NULL;
