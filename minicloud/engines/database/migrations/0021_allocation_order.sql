-- Allocations of a consumer are shown in the order in which they were asked for, as the real service shows them.

ALTER TABLE placement_allocations ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
