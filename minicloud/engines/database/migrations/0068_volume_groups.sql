-- Groups of volumes, their types, and snapshots of groups.
CREATE TABLE volume_group_types (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    description  TEXT,
    is_public    INTEGER NOT NULL,
    group_specs  TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT
);

CREATE TABLE volume_groups (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    user_id            TEXT NOT NULL,
    name               TEXT,
    description        TEXT,
    status             TEXT NOT NULL,
    zone               TEXT NOT NULL,
    group_type_id      TEXT NOT NULL,
    volume_type_ids    TEXT NOT NULL,
    group_snapshot_id  TEXT,
    source_group_id    TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT
);
CREATE INDEX volume_groups_of_project ON volume_groups (project_id);
CREATE INDEX volume_groups_of_type ON volume_groups (group_type_id);

CREATE TABLE volume_group_snapshots (
    id             TEXT PRIMARY KEY,
    project_id     TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    group_id       TEXT NOT NULL,
    group_type_id  TEXT NOT NULL,
    name           TEXT,
    description    TEXT,
    status         TEXT NOT NULL,
    created_at     TEXT NOT NULL,
    updated_at     TEXT
);
CREATE INDEX volume_group_snapshots_of_project ON volume_group_snapshots (project_id);
CREATE INDEX volume_group_snapshots_of_group ON volume_group_snapshots (group_id);
CREATE INDEX volumes_of_group ON volumes (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX volume_snapshots_of_group ON volume_snapshots (group_snapshot_id) WHERE group_snapshot_id IS NOT NULL;
