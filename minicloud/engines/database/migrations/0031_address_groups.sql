-- Network: address groups, which rules of security groups may name as their other end.

CREATE TABLE address_groups (
    id               TEXT PRIMARY KEY,
    project_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL,
    addresses        TEXT NOT NULL,
    revision_number  INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
);
CREATE INDEX address_groups_of_project ON address_groups (project_id, name);

ALTER TABLE security_group_rules ADD COLUMN remote_address_group_id TEXT;
CREATE INDEX security_group_rules_by_addresses ON security_group_rules (remote_address_group_id);
