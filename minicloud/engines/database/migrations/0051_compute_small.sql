-- Quotas of all services, and compute's small resources: flavors, keypairs.

-- A limit that an administrator set for a project; what has no row here has the default of its service.
CREATE TABLE quotas (
    service     TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    resource    TEXT NOT NULL,
    hard_limit  INTEGER NOT NULL,
    PRIMARY KEY (service, project_id, resource)
);

-- Limits of a quota class; the class named "default" stands for the defaults of all projects.
CREATE TABLE quota_classes (
    service     TEXT NOT NULL,
    class       TEXT NOT NULL,
    resource    TEXT NOT NULL,
    hard_limit  INTEGER NOT NULL,
    PRIMARY KEY (service, class, resource)
);

CREATE TABLE flavors (
    id           INTEGER PRIMARY KEY,
    flavorid     TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL UNIQUE,
    vcpus        INTEGER NOT NULL,
    memory_mb    INTEGER NOT NULL,
    disk         INTEGER NOT NULL,
    ephemeral    INTEGER NOT NULL,
    swap         INTEGER NOT NULL,
    rxtx_factor  REAL NOT NULL,
    is_public    INTEGER NOT NULL,
    disabled     INTEGER NOT NULL,
    description  TEXT,
    extra_specs  TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT
);

CREATE TABLE flavor_projects (
    flavorid    TEXT NOT NULL REFERENCES flavors (flavorid) ON DELETE CASCADE,
    project_id  TEXT NOT NULL,
    PRIMARY KEY (flavorid, project_id)
);
CREATE INDEX flavor_projects_of_project ON flavor_projects (project_id, flavorid);

CREATE TABLE keypairs (
    id           INTEGER PRIMARY KEY,
    user_id      TEXT NOT NULL,
    name         TEXT NOT NULL,
    type         TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    public_key   TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    UNIQUE (user_id, name)
);
