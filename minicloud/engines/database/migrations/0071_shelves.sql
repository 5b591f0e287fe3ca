-- Servers that are shelved: the image that has their disk. What users use of their quota leaves out what was softly deleted.
CREATE TABLE server_shelves (
    server_id   TEXT PRIMARY KEY,
    image_id    TEXT NOT NULL,
    shelved_at  TEXT NOT NULL
);
DROP INDEX servers_usage;
CREATE INDEX servers_usage ON servers (project_id, deleted, vm_state, user_id, vcpus, memory_mb);
