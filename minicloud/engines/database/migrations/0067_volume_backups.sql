-- Copies of volumes that outlive them, and volumes that are offered to another project.
CREATE TABLE volume_backups (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    user_id            TEXT NOT NULL,
    volume_id          TEXT NOT NULL,
    snapshot_id        TEXT,
    parent_id          TEXT,
    name               TEXT,
    description        TEXT,
    container          TEXT,
    zone               TEXT,
    status             TEXT NOT NULL,
    fail_reason        TEXT,
    size               INTEGER NOT NULL,
    object_count       INTEGER NOT NULL,
    format             TEXT NOT NULL,
    data_id            TEXT NOT NULL,
    metadata           TEXT NOT NULL,
    bootable           INTEGER NOT NULL,
    image_metadata     TEXT NOT NULL,
    volume_metadata    TEXT NOT NULL,
    restore_volume_id  TEXT,
    data_timestamp     TEXT NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT,
    generation         INTEGER NOT NULL
);
CREATE INDEX volume_backups_of_project ON volume_backups (project_id, size);
CREATE INDEX volume_backups_of_volume ON volume_backups (volume_id, data_timestamp);
CREATE INDEX volume_backups_of_parent ON volume_backups (parent_id);
CREATE INDEX volume_backups_of_data ON volume_backups (data_id);

CREATE TABLE volume_transfers (
    id                      TEXT PRIMARY KEY,
    volume_id               TEXT NOT NULL,
    name                    TEXT,
    salt                    TEXT NOT NULL,
    key_hash                TEXT NOT NULL,
    no_snapshots            INTEGER NOT NULL,
    source_project_id       TEXT NOT NULL,
    destination_project_id  TEXT,
    accepted                INTEGER NOT NULL,
    created_at              TEXT NOT NULL,
    updated_at              TEXT
);
CREATE INDEX volume_transfers_of_project ON volume_transfers (source_project_id, accepted);
