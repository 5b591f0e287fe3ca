-- Whether the host that was asked for is forced (zone:host:node), or still has to pass the scheduler's filters.

ALTER TABLE servers ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
