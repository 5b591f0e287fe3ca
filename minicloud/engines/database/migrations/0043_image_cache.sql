-- Images that an administrator wanted on the hosts before anybody boots from them, and the hosts that have them.
CREATE TABLE image_cache (
    image_id       TEXT PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
    cached         INTEGER NOT NULL,
    size           BIGINT NOT NULL,
    hosts          TEXT NOT NULL,
    last_accessed  TEXT NOT NULL,
    last_modified  TEXT NOT NULL
);
