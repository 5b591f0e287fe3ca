-- As in keystone, a registered limit stays when its service or region goes, until somebody removes it.
CREATE TABLE registered_limits_lasting (
    id             TEXT PRIMARY KEY,
    service_id     TEXT NOT NULL,
    region_id      TEXT,
    resource_name  TEXT NOT NULL,
    default_limit  INTEGER NOT NULL,
    description    TEXT
);
INSERT INTO registered_limits_lasting (id, service_id, region_id, resource_name, default_limit, description)
    SELECT id, service_id, region_id, resource_name, default_limit, description FROM registered_limits;

-- Limits refer to the new table before the old one goes, or they would go with it.
CREATE TABLE limits_lasting (
    id                   TEXT PRIMARY KEY,
    registered_limit_id  TEXT NOT NULL REFERENCES registered_limits_lasting (id) ON DELETE CASCADE,
    service_id           TEXT NOT NULL,
    region_id            TEXT,
    resource_name        TEXT NOT NULL,
    project_id           TEXT REFERENCES projects (id) ON DELETE CASCADE,
    domain_id            TEXT REFERENCES projects (id) ON DELETE CASCADE,
    resource_limit       INTEGER NOT NULL,
    description          TEXT
);
INSERT INTO limits_lasting (
        id, registered_limit_id, service_id, region_id, resource_name, project_id, domain_id, resource_limit, description)
    SELECT id, registered_limit_id, service_id, region_id, resource_name, project_id, domain_id, resource_limit, description
    FROM limits;

DROP TABLE limits;
DROP TABLE registered_limits;
ALTER TABLE registered_limits_lasting RENAME TO registered_limits;
ALTER TABLE limits_lasting RENAME TO limits;
CREATE UNIQUE INDEX registered_limits_by_resource ON registered_limits (service_id, COALESCE(region_id, ''), resource_name);
CREATE UNIQUE INDEX limits_by_owner ON limits (registered_limit_id, COALESCE(project_id, ''), COALESCE(domain_id, ''));
CREATE INDEX limits_by_project ON limits (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX limits_by_domain ON limits (domain_id) WHERE domain_id IS NOT NULL;
