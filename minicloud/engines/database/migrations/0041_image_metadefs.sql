-- Metadata definitions: namespaces of what may be said about resources, with objects, properties and tags in them.
CREATE TABLE metadef_namespaces (
    id            TEXT PRIMARY KEY,
    namespace     TEXT NOT NULL UNIQUE,
    display_name  TEXT,
    description   TEXT,
    visibility    TEXT NOT NULL,
    protected     INTEGER NOT NULL,
    owner         TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
);

CREATE TABLE metadef_items (
    id            TEXT PRIMARY KEY,
    namespace_id  TEXT NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    body          TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL,
    UNIQUE (namespace_id, kind, name)
);

CREATE TABLE metadef_resource_types (
    name        TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);

CREATE TABLE metadef_associations (
    namespace_id       TEXT NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
    name               TEXT NOT NULL REFERENCES metadef_resource_types (name),
    prefix             TEXT,
    properties_target  TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL,
    PRIMARY KEY (namespace_id, name)
);
CREATE INDEX metadef_associations_of_type ON metadef_associations (name);
