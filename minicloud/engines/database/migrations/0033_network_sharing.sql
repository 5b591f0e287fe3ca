-- Network: what is shared with whom, and address scopes. A target '*' means every project.

CREATE TABLE network_rbac (
    id              TEXT PRIMARY KEY,
    project_id      TEXT NOT NULL,
    object_type     TEXT NOT NULL,
    object_id       TEXT NOT NULL,
    action          TEXT NOT NULL,
    target_project  TEXT NOT NULL
);
CREATE UNIQUE INDEX network_rbac_once ON network_rbac (object_id, action, target_project);
CREATE INDEX network_rbac_for ON network_rbac (object_type, target_project);
CREATE INDEX network_rbac_of_project ON network_rbac (project_id);

-- What was shared by its own mark until now; ids are made out of those of the networks, of another version of UUIDs.
INSERT INTO network_rbac (id, project_id, object_type, object_id, action, target_project)
    SELECT id, project_id, 'network', id, 'access_as_shared', '*' FROM networks WHERE shared = 1;
INSERT INTO network_rbac (id, project_id, object_type, object_id, action, target_project)
    SELECT substr(id, 1, 14) || '5' || substr(id, 16), project_id, 'network', id, 'access_as_external', '*'
    FROM networks WHERE external = 1;
INSERT INTO network_rbac (id, project_id, object_type, object_id, action, target_project)
    SELECT id, project_id, 'subnetpool', id, 'access_as_shared', '*' FROM subnet_pools WHERE shared = 1;

CREATE TABLE address_scopes (
    id          TEXT PRIMARY KEY,
    project_id  TEXT NOT NULL,
    name        TEXT NOT NULL,
    ip_version  INTEGER NOT NULL,
    created_at  TEXT NOT NULL
);
CREATE INDEX address_scopes_of_project ON address_scopes (project_id, name);

ALTER TABLE subnet_pools ADD COLUMN address_scope_id TEXT;
CREATE INDEX subnet_pools_of_scope ON subnet_pools (address_scope_id);
