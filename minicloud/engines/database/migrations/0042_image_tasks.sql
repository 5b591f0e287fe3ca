-- Work on images that goes on after the request was answered, as clients may follow it.
CREATE TABLE image_tasks (
    id          TEXT PRIMARY KEY,
    type        TEXT NOT NULL,
    status      TEXT NOT NULL,
    owner       TEXT,
    user_id     TEXT,
    request_id  TEXT,
    image_id    TEXT,
    input       TEXT NOT NULL,
    result      TEXT,
    message     TEXT NOT NULL,
    expires_at  TEXT,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE INDEX image_tasks_of_image ON image_tasks (image_id, created_at);
CREATE INDEX image_tasks_by_age ON image_tasks (created_at, id);
