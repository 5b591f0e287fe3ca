-- Placement: what there is (providers with inventories, traits, aggregates), and who has what of it (consumers, allocations).
-- `used` in an inventory is the sum of its allocations; both move in one transaction. Only custom names have rows:
-- standard traits and resource classes are known by the program.

CREATE TABLE placement_providers (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    generation  INTEGER NOT NULL,
    parent_id   TEXT REFERENCES placement_providers (id),
    root_id     TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE INDEX placement_providers_by_root ON placement_providers (root_id);
CREATE INDEX placement_providers_by_parent ON placement_providers (parent_id);

CREATE TABLE placement_inventories (
    provider_id       TEXT NOT NULL REFERENCES placement_providers (id),
    resource_class    TEXT NOT NULL,
    total             INTEGER NOT NULL,
    reserved          INTEGER NOT NULL,
    min_unit          INTEGER NOT NULL,
    max_unit          INTEGER NOT NULL,
    step_size         INTEGER NOT NULL,
    allocation_ratio  DOUBLE PRECISION NOT NULL,
    used              BIGINT NOT NULL,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    PRIMARY KEY (provider_id, resource_class)
);
CREATE INDEX placement_inventories_by_class ON placement_inventories (resource_class);

CREATE TABLE placement_traits (
    name        TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL
);

CREATE TABLE placement_resource_classes (
    name        TEXT PRIMARY KEY,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);

CREATE TABLE placement_provider_traits (
    provider_id  TEXT NOT NULL REFERENCES placement_providers (id),
    trait        TEXT NOT NULL,
    PRIMARY KEY (provider_id, trait)
);
CREATE INDEX placement_provider_traits_by_trait ON placement_provider_traits (trait);

CREATE TABLE placement_provider_aggregates (
    provider_id   TEXT NOT NULL REFERENCES placement_providers (id),
    aggregate_id  TEXT NOT NULL,
    PRIMARY KEY (provider_id, aggregate_id)
);

CREATE TABLE placement_consumers (
    id             TEXT PRIMARY KEY,
    project_id     TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    consumer_type  TEXT,
    generation     INTEGER NOT NULL,
    created_at     TEXT NOT NULL,
    updated_at     TEXT NOT NULL
);
CREATE INDEX placement_consumers_by_owner ON placement_consumers (project_id, user_id);

CREATE TABLE placement_allocations (
    consumer_id     TEXT NOT NULL REFERENCES placement_consumers (id),
    provider_id     TEXT NOT NULL,
    resource_class  TEXT NOT NULL,
    used            BIGINT NOT NULL,
    created_at      TEXT NOT NULL,
    PRIMARY KEY (consumer_id, provider_id, resource_class),
    FOREIGN KEY (provider_id, resource_class)
        REFERENCES placement_inventories (provider_id, resource_class) ON UPDATE CASCADE
);
CREATE INDEX placement_allocations_by_provider ON placement_allocations (provider_id, resource_class, consumer_id);

-- Which provider changed, in order: how the index in memory follows the tables (core/placement/index.py). `token` tells a
-- change from another one that took its number after a rollback.
CREATE TABLE placement_changes (
    seq          INTEGER PRIMARY KEY,
    token        BIGINT NOT NULL,
    provider_id  TEXT NOT NULL
);
