-- The machine's own tables: sagas with their log, and what was asked through the API.

CREATE TABLE sagas (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    resource    TEXT NOT NULL,
    request_id  TEXT NOT NULL,
    state       TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    shape       TEXT NOT NULL,
    body        TEXT NOT NULL,
    error       TEXT,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE INDEX sagas_open ON sagas (state) WHERE state NOT IN ('finished', 'rolled_back');
CREATE INDEX sagas_by_resource ON sagas (resource, created_at);

CREATE TABLE saga_log (
    saga_id  TEXT NOT NULL REFERENCES sagas (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    step     TEXT NOT NULL,
    attempt  INTEGER NOT NULL,
    event    TEXT NOT NULL,
    at       TEXT NOT NULL,
    error    TEXT,
    PRIMARY KEY (saga_id, seq)
);

CREATE TABLE saga_demos (
    id       TEXT PRIMARY KEY,
    reached  TEXT NOT NULL,
    word     TEXT NOT NULL
);
