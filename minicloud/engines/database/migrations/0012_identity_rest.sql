-- Unified limits, what of the catalog projects see, policy documents, configurations of domains, revocations, password rules.

CREATE TABLE registered_limits (
    id             TEXT PRIMARY KEY,
    service_id     TEXT NOT NULL REFERENCES catalog_services (id) ON DELETE CASCADE,
    region_id      TEXT REFERENCES catalog_regions (id) ON DELETE CASCADE,
    resource_name  TEXT NOT NULL,
    default_limit  INTEGER NOT NULL,
    description    TEXT
);
CREATE UNIQUE INDEX registered_limits_by_resource ON registered_limits (service_id, COALESCE(region_id, ''), resource_name);

-- service_id, region_id and resource_name are the registered limit's, which cannot change while it has limits.
CREATE TABLE limits (
    id                   TEXT PRIMARY KEY,
    registered_limit_id  TEXT NOT NULL REFERENCES registered_limits (id) ON DELETE CASCADE,
    service_id           TEXT NOT NULL,
    region_id            TEXT,
    resource_name        TEXT NOT NULL,
    project_id           TEXT REFERENCES projects (id) ON DELETE CASCADE,
    domain_id            TEXT REFERENCES projects (id) ON DELETE CASCADE,
    resource_limit       INTEGER NOT NULL,
    description          TEXT
);
CREATE UNIQUE INDEX limits_by_owner ON limits (registered_limit_id, COALESCE(project_id, ''), COALESCE(domain_id, ''));
CREATE INDEX limits_by_project ON limits (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX limits_by_domain ON limits (domain_id) WHERE domain_id IS NOT NULL;

CREATE TABLE endpoint_groups (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    description  TEXT,
    filters      TEXT NOT NULL
);

CREATE TABLE project_endpoints (
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    endpoint_id  TEXT NOT NULL REFERENCES catalog_endpoints (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, endpoint_id)
);
CREATE INDEX project_endpoints_by_endpoint ON project_endpoints (endpoint_id);

CREATE TABLE project_endpoint_groups (
    endpoint_group_id  TEXT NOT NULL REFERENCES endpoint_groups (id) ON DELETE CASCADE,
    project_id         TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (endpoint_group_id, project_id)
);
CREATE INDEX project_endpoint_groups_by_project ON project_endpoint_groups (project_id);

CREATE TABLE policies (
    id     TEXT PRIMARY KEY,
    type   TEXT NOT NULL,
    blob   TEXT NOT NULL,
    extra  TEXT NOT NULL
);

-- One policy for an endpoint, or for a service, or for a service in a region; '' stands for what is not meant.
CREATE TABLE policy_associations (
    policy_id    TEXT NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    endpoint_id  TEXT NOT NULL,
    service_id   TEXT NOT NULL,
    region_id    TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, service_id, region_id)
);
CREATE INDEX policy_associations_by_policy ON policy_associations (policy_id);

CREATE TABLE domain_configs (
    domain_id  TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    section    TEXT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (domain_id, section, name)
);

CREATE TABLE revocation_events (
    id              TEXT PRIMARY KEY,
    user_id         TEXT,
    project_id      TEXT,
    domain_id       TEXT,
    trust_id        TEXT,
    audit_id        TEXT,
    audit_chain_id  TEXT,
    issued_before   TEXT NOT NULL
);
CREATE INDEX revocation_events_by_time ON revocation_events (issued_before);

ALTER TABLE users ADD COLUMN failed_sign_ins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN failed_at TEXT;
ALTER TABLE users ADD COLUMN active_at TEXT;

CREATE TABLE former_passwords (
    user_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    set_at         TEXT NOT NULL,
    password_hash  TEXT NOT NULL,
    PRIMARY KEY (user_id, set_at, password_hash)
);
