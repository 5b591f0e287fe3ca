-- Image: images and the projects that they are shared with. Deleted images stay, so that an id is never used twice.

CREATE TABLE images (
    id                TEXT PRIMARY KEY,
    name              TEXT,
    status            TEXT NOT NULL,
    visibility        TEXT NOT NULL,
    owner             TEXT,
    protected         INTEGER NOT NULL,
    os_hidden         INTEGER NOT NULL,
    min_disk          INTEGER NOT NULL,
    min_ram           INTEGER NOT NULL,
    disk_format       TEXT,
    container_format  TEXT,
    size              BIGINT,
    virtual_size      BIGINT,
    checksum          TEXT,
    os_hash_algo      TEXT,
    os_hash_value     TEXT,
    properties        TEXT NOT NULL,
    tags              TEXT NOT NULL,
    upload_id         TEXT,
    upload_resumes    INTEGER NOT NULL,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    deleted_at        TEXT,
    deleted           INTEGER NOT NULL,
    generation        INTEGER NOT NULL
);
CREATE INDEX images_by_age ON images (deleted, created_at, id);
CREATE INDEX images_of_owner ON images (owner, deleted, created_at, id);
CREATE INDEX images_by_name ON images (name);
CREATE INDEX images_uploading ON images (upload_id) WHERE upload_id IS NOT NULL;

CREATE TABLE image_members (
    image_id    TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    member_id   TEXT NOT NULL,
    status      TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    PRIMARY KEY (image_id, member_id)
);
CREATE INDEX image_members_of_project ON image_members (member_id, status, image_id);
