-- The disks that a server was asked to have: volumes, and what they are made of.

CREATE TABLE block_devices (
    id                     TEXT PRIMARY KEY,
    server_id              TEXT NOT NULL,
    source_type            TEXT NOT NULL,
    destination_type       TEXT NOT NULL,
    source_id              TEXT,
    volume_id              TEXT,
    attachment_id          TEXT,
    device_name            TEXT,
    boot_index             INTEGER,
    volume_size            INTEGER,
    volume_type            TEXT,
    guest_format           TEXT,
    disk_bus               TEXT,
    device_type            TEXT,
    tag                    TEXT,
    delete_on_termination  INTEGER NOT NULL,
    created_at             TEXT NOT NULL,
    updated_at             TEXT
);
CREATE INDEX block_devices_of_server ON block_devices (server_id);
CREATE INDEX block_devices_of_volume ON block_devices (volume_id);
