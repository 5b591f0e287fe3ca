-- Moves of servers: resizes, migrations cold and live, evacuations. Memory and disk in bytes; flavors as they were and will be.
CREATE TABLE server_migrations (
    uuid              TEXT PRIMARY KEY,
    id                INTEGER NOT NULL UNIQUE,
    server_id         TEXT NOT NULL,
    project_id        TEXT NOT NULL,
    user_id           TEXT NOT NULL,
    kind              TEXT NOT NULL,
    status            TEXT NOT NULL,
    source_compute    TEXT,
    source_node       TEXT,
    dest_compute      TEXT,
    dest_node         TEXT,
    dest_host         TEXT,
    old_flavor        TEXT,
    new_flavor        TEXT,
    old_flavor_id     INTEGER,
    new_flavor_id     INTEGER,
    vm_state          TEXT NOT NULL,
    memory_total      INTEGER,
    memory_processed  INTEGER,
    memory_remaining  INTEGER,
    disk_total        INTEGER,
    disk_processed    INTEGER,
    disk_remaining    INTEGER,
    created_at        TEXT NOT NULL,
    updated_at        TEXT
);
CREATE INDEX server_migrations_of_server ON server_migrations (server_id, status);
CREATE INDEX server_migrations_by_source ON server_migrations (source_compute, status);
CREATE INDEX server_migrations_by_age ON server_migrations (created_at, id);
