-- Compute: services and hosts, servers, what was done to them.

CREATE TABLE services (
    id               INTEGER PRIMARY KEY,
    uuid             TEXT NOT NULL UNIQUE,
    "binary"         TEXT NOT NULL,
    host             TEXT NOT NULL,
    zone             TEXT NOT NULL,
    disabled         INTEGER NOT NULL,
    disabled_reason  TEXT,
    forced_down      INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT,
    generation       INTEGER NOT NULL,
    UNIQUE (host, "binary")
);

CREATE TABLE compute_nodes (
    id                  INTEGER PRIMARY KEY,
    uuid                TEXT NOT NULL UNIQUE,
    host                TEXT NOT NULL UNIQUE,
    node                TEXT NOT NULL UNIQUE,
    hypervisor_type     TEXT NOT NULL,
    hypervisor_version  INTEGER NOT NULL,
    cpu_arch            TEXT NOT NULL,
    cpu_model           TEXT NOT NULL,
    accelerator         TEXT NOT NULL,
    vcpus               INTEGER NOT NULL,
    memory_mb           INTEGER NOT NULL,
    disk_gb             INTEGER NOT NULL,
    free_disk_gb        INTEGER NOT NULL,
    fabric              TEXT NOT NULL,
    created_at          TEXT NOT NULL,
    updated_at          TEXT NOT NULL
);

-- Counts changes of what the scheduler remembers of hosts, so that it need not read a thousand rows for every server.
CREATE TABLE compute_changes (
    name   TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
);

CREATE TABLE servers (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    user_id            TEXT NOT NULL,
    name               TEXT NOT NULL,
    hostname           TEXT NOT NULL,
    description        TEXT,
    image_id           TEXT,
    image_properties   TEXT NOT NULL,
    flavor             TEXT NOT NULL,
    vcpus              INTEGER NOT NULL,
    memory_mb          INTEGER NOT NULL,
    disk_gb            INTEGER NOT NULL,
    key_name           TEXT,
    key_type           TEXT,
    public_key         TEXT,
    user_data          TEXT,
    config_drive       INTEGER NOT NULL,
    metadata           TEXT NOT NULL,
    tags               TEXT NOT NULL,
    security_groups    TEXT NOT NULL,
    requested_networks TEXT NOT NULL,
    scheduler_hints    TEXT NOT NULL,
    requested_zone     TEXT,
    requested_host     TEXT,
    requested_node     TEXT,
    access_ip_v4       TEXT,
    access_ip_v6       TEXT,
    disk_config        TEXT NOT NULL,
    reservation_id     TEXT NOT NULL,
    launch_index       INTEGER NOT NULL,
    host               TEXT,
    node               TEXT,
    zone               TEXT,
    vm_state           TEXT NOT NULL,
    task_state         TEXT,
    power_state        INTEGER NOT NULL,
    progress           INTEGER NOT NULL,
    locked             INTEGER NOT NULL,
    locked_reason      TEXT,
    fault              TEXT,
    admin_password     TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL,
    launched_at        TEXT,
    terminated_at      TEXT,
    deleted_at         TEXT,
    deleted            INTEGER NOT NULL,
    generation         INTEGER NOT NULL
);
CREATE INDEX servers_usage ON servers (project_id, deleted, vcpus, memory_mb);
CREATE INDEX servers_of_project ON servers (project_id, deleted, created_at, id);
CREATE INDEX servers_by_age ON servers (deleted, created_at, id);
CREATE INDEX servers_on_host ON servers (host, deleted);
CREATE INDEX servers_by_name ON servers (name);
CREATE INDEX servers_changed ON servers (updated_at);
CREATE INDEX servers_busy ON servers (task_state) WHERE task_state IS NOT NULL;

CREATE TABLE instance_actions (
    id          INTEGER PRIMARY KEY,
    server_id   TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    action      TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    finished_at TEXT,
    message     TEXT
);
CREATE INDEX instance_actions_of_server ON instance_actions (server_id, started_at, id);

CREATE TABLE instance_action_events (
    id           INTEGER PRIMARY KEY,
    action_id    INTEGER NOT NULL REFERENCES instance_actions (id) ON DELETE CASCADE,
    event        TEXT NOT NULL,
    host         TEXT,
    started_at   TEXT NOT NULL,
    finished_at  TEXT,
    result       TEXT,
    details      TEXT,
    traceback    TEXT
);
CREATE INDEX instance_action_events_of_action ON instance_action_events (action_id, id);
