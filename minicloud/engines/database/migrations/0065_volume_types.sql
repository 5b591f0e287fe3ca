-- What belongs to volume types: who may use a private one, how its volumes would be encrypted, what is promised of their speed,
-- and the type that a project's volumes have when nobody says one.
CREATE TABLE volume_type_access (
    volume_type_id  TEXT NOT NULL REFERENCES volume_types (id) ON DELETE CASCADE,
    project_id      TEXT NOT NULL,
    PRIMARY KEY (volume_type_id, project_id)
);

CREATE TABLE volume_type_encryptions (
    volume_type_id    TEXT PRIMARY KEY REFERENCES volume_types (id) ON DELETE CASCADE,
    encryption_id     TEXT NOT NULL UNIQUE,
    provider          TEXT NOT NULL,
    control_location  TEXT NOT NULL,
    cipher            TEXT,
    key_size          INTEGER,
    created_at        TEXT NOT NULL,
    updated_at        TEXT
);

CREATE TABLE volume_qos_specs (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    consumer    TEXT NOT NULL,
    specs       TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT
);

CREATE TABLE volume_default_types (
    project_id      TEXT PRIMARY KEY,
    volume_type_id  TEXT NOT NULL REFERENCES volume_types (id)
);
