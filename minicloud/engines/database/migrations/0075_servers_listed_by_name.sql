-- Listings of servers whose names are filtered read those that match, not all of a project.
DROP INDEX servers_of_project;
CREATE INDEX servers_of_project ON servers (project_id, deleted, created_at, id, name);
DROP INDEX servers_by_age;
CREATE INDEX servers_by_age ON servers (deleted, created_at, id, name);
