-- Services of block storage that are no backends and were disabled, and messages to users about what failed.
CREATE TABLE volume_services (
    binary           TEXT NOT NULL,
    host             TEXT NOT NULL,
    disabled         INTEGER NOT NULL,
    disabled_reason  TEXT,
    updated_at       TEXT NOT NULL,
    PRIMARY KEY (binary, host)
);

CREATE TABLE volume_messages (
    id             TEXT PRIMARY KEY,
    project_id     TEXT NOT NULL,
    event_id       TEXT NOT NULL,
    action_id      TEXT NOT NULL,
    detail_id      TEXT NOT NULL,
    message_level  TEXT NOT NULL,
    resource_type  TEXT,
    resource_uuid  TEXT,
    request_id     TEXT,
    created_at     TEXT NOT NULL,
    expires_at     TEXT NOT NULL
);
CREATE INDEX volume_messages_of_project ON volume_messages (project_id, created_at);
