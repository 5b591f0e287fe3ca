-- Network: subnet pools, out of which subnets get their addresses.

CREATE TABLE subnet_pools (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL,
    name               TEXT NOT NULL,
    description        TEXT NOT NULL,
    ip_version         INTEGER NOT NULL,
    prefixes           TEXT NOT NULL,
    min_prefixlen      INTEGER NOT NULL,
    max_prefixlen      INTEGER NOT NULL,
    default_prefixlen  INTEGER NOT NULL,
    default_quota      INTEGER,
    is_default         INTEGER NOT NULL,
    shared             INTEGER NOT NULL,
    tags               TEXT NOT NULL,
    revision_number    INTEGER NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL
);
CREATE INDEX subnet_pools_of_project ON subnet_pools (project_id, name);
CREATE UNIQUE INDEX subnet_pools_default ON subnet_pools (ip_version) WHERE is_default = 1;
CREATE INDEX subnets_of_pool ON subnets (subnetpool_id);
