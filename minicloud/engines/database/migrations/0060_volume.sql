-- Block storage: types, backends, volumes, what was frozen of them, and who uses them. Sizes in GiB.

CREATE TABLE volume_types (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    description   TEXT,
    is_public     INTEGER NOT NULL,
    extra_specs   TEXT NOT NULL,
    qos_specs_id  TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT
);

CREATE TABLE volume_backends (
    host          TEXT PRIMARY KEY,
    uuid          TEXT NOT NULL UNIQUE,
    pool          TEXT NOT NULL,
    zone          TEXT NOT NULL,
    driver        TEXT NOT NULL,
    total_gb      INTEGER NOT NULL,
    free_gb       INTEGER NOT NULL,
    disabled      INTEGER NOT NULL,
    disabled_reason TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);

CREATE TABLE volumes (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    user_id             TEXT NOT NULL,
    name                TEXT,
    description         TEXT,
    size                INTEGER NOT NULL,
    growing_gb          INTEGER NOT NULL,
    status              TEXT NOT NULL,
    previous_status     TEXT,
    attach_status       TEXT NOT NULL,
    migration_status    TEXT,
    replication_status  TEXT,
    zone                TEXT,
    host                TEXT,
    volume_type_id      TEXT REFERENCES volume_types (id),
    snapshot_id         TEXT,
    source_volid        TEXT,
    backup_id           TEXT,
    group_id            TEXT,
    bootable            INTEGER NOT NULL,
    multiattach         INTEGER NOT NULL,
    metadata            TEXT NOT NULL,
    admin_metadata      TEXT NOT NULL,
    image_metadata      TEXT NOT NULL,
    scheduler_hints     TEXT NOT NULL,
    encryption_key_id   TEXT,
    provider_id         TEXT,
    use_quota           INTEGER NOT NULL,
    created_at          TEXT NOT NULL,
    updated_at          TEXT,
    launched_at         TEXT,
    generation          INTEGER NOT NULL
);
CREATE INDEX volumes_of_project ON volumes (project_id, use_quota, size, growing_gb);
CREATE INDEX volumes_of_backend ON volumes (host, size, growing_gb);
CREATE INDEX volumes_by_time ON volumes (created_at);

CREATE TABLE volume_snapshots (
    id                  TEXT PRIMARY KEY,
    project_id          TEXT NOT NULL,
    user_id             TEXT NOT NULL,
    volume_id           TEXT NOT NULL REFERENCES volumes (id),
    name                TEXT,
    description         TEXT,
    volume_size         INTEGER NOT NULL,
    volume_type_id      TEXT,
    status              TEXT NOT NULL,
    progress            TEXT NOT NULL,
    metadata            TEXT NOT NULL,
    group_snapshot_id   TEXT,
    use_quota           INTEGER NOT NULL,
    created_at          TEXT NOT NULL,
    updated_at          TEXT,
    generation          INTEGER NOT NULL
);
CREATE INDEX snapshots_of_project ON volume_snapshots (project_id, use_quota, volume_size);
CREATE INDEX snapshots_of_volume ON volume_snapshots (volume_id);

CREATE TABLE volume_attachments (
    id               TEXT PRIMARY KEY,
    volume_id        TEXT NOT NULL REFERENCES volumes (id),
    project_id       TEXT NOT NULL,
    server_id        TEXT,
    attached_host    TEXT,
    mountpoint       TEXT,
    attach_mode      TEXT,
    attach_status    TEXT NOT NULL,
    connector        TEXT,
    connection_info  TEXT,
    attached_at      TEXT,
    created_at       TEXT NOT NULL,
    updated_at       TEXT,
    generation       INTEGER NOT NULL
);
CREATE INDEX attachments_of_volume ON volume_attachments (volume_id);
CREATE INDEX attachments_of_server ON volume_attachments (server_id);
