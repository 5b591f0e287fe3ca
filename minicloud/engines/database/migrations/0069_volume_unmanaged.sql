-- What lies on a backend and is nobody's because an administrator let go of it. kind: volume, snapshot.
CREATE TABLE volume_unmanaged (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    host        TEXT NOT NULL,
    size        INTEGER NOT NULL,
    bootable    INTEGER NOT NULL,
    volume_id   TEXT,
    taken_by    TEXT,
    created_at  TEXT NOT NULL
);
CREATE INDEX volume_unmanaged_of_host ON volume_unmanaged (host, kind);
