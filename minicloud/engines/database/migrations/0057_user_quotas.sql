-- Limits of single users within a project, and what the network service counts in quotas that compute once had.

CREATE TABLE user_quotas (
    service     TEXT NOT NULL,
    project_id  TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    resource    TEXT NOT NULL,
    hard_limit  INTEGER NOT NULL,
    PRIMARY KEY (service, project_id, user_id, resource)
);
