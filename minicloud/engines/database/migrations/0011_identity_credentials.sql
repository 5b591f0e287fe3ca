-- Credentials of users, what they delegate (application credentials, trusts), and the tokens that come of it.

-- The id of an ec2 credential is the SHA-256 of its access key. A blob is a secret in clear: signatures are checked with it.
CREATE TABLE credentials (
    id          TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL,
    project_id  TEXT,
    type        TEXT NOT NULL,
    blob        TEXT NOT NULL,
    extra       TEXT NOT NULL
);
CREATE INDEX credentials_by_user ON credentials (user_id, type);
CREATE INDEX credentials_by_project ON credentials (project_id) WHERE project_id IS NOT NULL;

CREATE TABLE application_credentials (
    id            TEXT PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    description   TEXT,
    secret_hash   TEXT NOT NULL,
    expires_at    TEXT,
    unrestricted  INTEGER NOT NULL,
    role_ids      TEXT NOT NULL,
    UNIQUE (user_id, name)
);
CREATE INDEX application_credentials_by_project ON application_credentials (project_id);

-- A rule stays when the last application credential that has it is gone, until it is deleted by itself.
CREATE TABLE access_rules (
    id       TEXT PRIMARY KEY,
    user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    service  TEXT NOT NULL,
    path     TEXT NOT NULL,
    method   TEXT NOT NULL,
    UNIQUE (user_id, service, path, method)
);

CREATE TABLE application_credential_access_rules (
    application_credential_id  TEXT NOT NULL REFERENCES application_credentials (id) ON DELETE CASCADE,
    access_rule_id             TEXT NOT NULL REFERENCES access_rules (id) ON DELETE CASCADE,
    PRIMARY KEY (application_credential_id, access_rule_id)
);
CREATE INDEX application_credential_access_rules_by_rule ON application_credential_access_rules (access_rule_id);

CREATE TABLE trusts (
    id                    TEXT PRIMARY KEY,
    trustor_user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    trustee_user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id            TEXT REFERENCES projects (id) ON DELETE CASCADE,
    impersonation         INTEGER NOT NULL,
    expires_at            TEXT,
    remaining_uses        INTEGER,
    redelegated_trust_id  TEXT REFERENCES trusts (id) ON DELETE CASCADE,
    redelegation_count    INTEGER NOT NULL,
    role_ids              TEXT NOT NULL,
    extra                 TEXT NOT NULL
);
CREATE INDEX trusts_by_trustor ON trusts (trustor_user_id);
CREATE INDEX trusts_by_trustee ON trusts (trustee_user_id);
CREATE INDEX trusts_by_project ON trusts (project_id);
CREATE INDEX trusts_by_redelegated ON trusts (redelegated_trust_id) WHERE redelegated_trust_id IS NOT NULL;

-- A token of a trust or of an application credential goes with it. With a trust, user_id is the trustee's.
ALTER TABLE tokens ADD COLUMN trust_id TEXT REFERENCES trusts (id) ON DELETE CASCADE;
ALTER TABLE tokens ADD COLUMN application_credential_id TEXT REFERENCES application_credentials (id) ON DELETE CASCADE;
CREATE INDEX tokens_by_trust ON tokens (trust_id) WHERE trust_id IS NOT NULL;
CREATE INDEX tokens_by_application_credential ON tokens (application_credential_id) WHERE application_credential_id IS NOT NULL;
