-- On whose behalf a server is locked: "owner" or "admin".
CREATE TABLE server_locks (
    server_id  TEXT PRIMARY KEY,
    locked_by  TEXT NOT NULL
);
