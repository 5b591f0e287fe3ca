-- OAuth 1.0a: consumers, what they ask for, and what users let them have. Secrets are kept in clear: signatures are checked with them.

CREATE TABLE oauth1_consumers (
    id           TEXT PRIMARY KEY,
    secret       TEXT NOT NULL,
    description  TEXT,
    extra        TEXT NOT NULL
);

-- A request is authorized once `verifier` is set; it then names who authorized it, and with which roles.
CREATE TABLE oauth1_request_tokens (
    id           TEXT PRIMARY KEY,
    secret       TEXT NOT NULL,
    consumer_id  TEXT NOT NULL REFERENCES oauth1_consumers (id) ON DELETE CASCADE,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    user_id      TEXT REFERENCES users (id) ON DELETE CASCADE,
    role_ids     TEXT NOT NULL,
    verifier     TEXT,
    expires_at   TEXT NOT NULL
);
CREATE INDEX oauth1_request_tokens_by_consumer ON oauth1_request_tokens (consumer_id);
CREATE INDEX oauth1_request_tokens_by_project ON oauth1_request_tokens (project_id);
CREATE INDEX oauth1_request_tokens_by_user ON oauth1_request_tokens (user_id);

CREATE TABLE oauth1_access_tokens (
    id           TEXT PRIMARY KEY,
    secret       TEXT NOT NULL,
    consumer_id  TEXT NOT NULL REFERENCES oauth1_consumers (id) ON DELETE CASCADE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id   TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    role_ids     TEXT NOT NULL,
    expires_at   TEXT NOT NULL
);
CREATE INDEX oauth1_access_tokens_by_consumer ON oauth1_access_tokens (consumer_id);
CREATE INDEX oauth1_access_tokens_by_user ON oauth1_access_tokens (user_id);
CREATE INDEX oauth1_access_tokens_by_project ON oauth1_access_tokens (project_id);

ALTER TABLE tokens ADD COLUMN access_token_id TEXT;
