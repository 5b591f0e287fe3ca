-- Identity: who there is, what they may do where, the catalog, and the tokens that prove it.
-- A domain is a project that acts as one (is_domain), as in Keystone; its own domain_id and parent_id are null.

CREATE TABLE projects (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    domain_id    TEXT REFERENCES projects (id),
    parent_id    TEXT REFERENCES projects (id),
    is_domain    INTEGER NOT NULL,
    enabled      INTEGER NOT NULL,
    description  TEXT NOT NULL,
    tags         TEXT NOT NULL,
    options      TEXT NOT NULL,
    extra        TEXT NOT NULL,
    created_at   TEXT NOT NULL
);
CREATE UNIQUE INDEX projects_by_name ON projects (domain_id, name) WHERE is_domain = 0;
CREATE UNIQUE INDEX domains_by_name ON projects (name) WHERE is_domain = 1;
CREATE INDEX projects_by_parent ON projects (parent_id);

CREATE TABLE users (
    id                   TEXT PRIMARY KEY,
    name                 TEXT NOT NULL,
    domain_id            TEXT NOT NULL REFERENCES projects (id),
    enabled              INTEGER NOT NULL,
    default_project_id   TEXT,
    password_hash        TEXT,
    password_set_at      TEXT,
    password_expires_at  TEXT,
    options              TEXT NOT NULL,
    extra                TEXT NOT NULL,
    created_at           TEXT NOT NULL,
    UNIQUE (domain_id, name)
);
CREATE INDEX users_by_default_project ON users (default_project_id) WHERE default_project_id IS NOT NULL;

CREATE TABLE user_groups (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    domain_id    TEXT NOT NULL REFERENCES projects (id),
    description  TEXT NOT NULL,
    extra        TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE group_members (
    group_id  TEXT NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX group_members_by_user ON group_members (user_id);

CREATE TABLE roles (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    domain_id    TEXT REFERENCES projects (id),
    description  TEXT,
    options      TEXT NOT NULL,
    extra        TEXT NOT NULL,
    created_at   TEXT NOT NULL
);
CREATE UNIQUE INDEX roles_by_name ON roles (name) WHERE domain_id IS NULL;
CREATE UNIQUE INDEX domain_roles_by_name ON roles (domain_id, name) WHERE domain_id IS NOT NULL;

CREATE TABLE implied_roles (
    prior_role_id    TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    implied_role_id  TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    PRIMARY KEY (prior_role_id, implied_role_id)
);
CREATE INDEX implied_roles_by_implied ON implied_roles (implied_role_id);

-- actor: a user or a group; target: a project, a domain, or the system ('all'). Inherited ones hold in what lies below.
CREATE TABLE role_assignments (
    actor_type   TEXT NOT NULL,
    actor_id     TEXT NOT NULL,
    target_type  TEXT NOT NULL,
    target_id    TEXT NOT NULL,
    role_id      TEXT NOT NULL REFERENCES roles (id) ON DELETE CASCADE,
    inherited    INTEGER NOT NULL,
    PRIMARY KEY (actor_type, actor_id, target_type, target_id, role_id, inherited)
);
CREATE INDEX role_assignments_by_target ON role_assignments (target_type, target_id);
CREATE INDEX role_assignments_by_role ON role_assignments (role_id);

CREATE TABLE catalog_regions (
    id                TEXT PRIMARY KEY,
    parent_region_id  TEXT REFERENCES catalog_regions (id),
    description       TEXT NOT NULL,
    extra             TEXT NOT NULL
);
CREATE INDEX catalog_regions_by_parent ON catalog_regions (parent_region_id);

CREATE TABLE catalog_services (
    id       TEXT PRIMARY KEY,
    type     TEXT NOT NULL,
    name     TEXT NOT NULL,
    enabled  INTEGER NOT NULL,
    extra    TEXT NOT NULL
);

CREATE TABLE catalog_endpoints (
    id          TEXT PRIMARY KEY,
    service_id  TEXT NOT NULL REFERENCES catalog_services (id) ON DELETE CASCADE,
    region_id   TEXT REFERENCES catalog_regions (id),
    interface   TEXT NOT NULL,
    url         TEXT NOT NULL,
    enabled     INTEGER NOT NULL,
    extra       TEXT NOT NULL
);
CREATE INDEX catalog_endpoints_by_service ON catalog_endpoints (service_id);
CREATE INDEX catalog_endpoints_by_region ON catalog_endpoints (region_id);

-- id is the SHA-256 of the secret, which is nowhere. Revoking removes the row; chain is the audit id that rescoped tokens share.
CREATE TABLE tokens (
    id          TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    methods     TEXT NOT NULL,
    audit_id    TEXT NOT NULL,
    chain       TEXT NOT NULL,
    project_id  TEXT,
    domain_id   TEXT,
    system      TEXT,
    issued_at   TEXT NOT NULL,
    expires_at  TEXT NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_chain ON tokens (chain);
CREATE INDEX tokens_by_project ON tokens (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
