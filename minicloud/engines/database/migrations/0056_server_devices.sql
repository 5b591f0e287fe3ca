-- Tags of a server's network cards, by port: what their owner called them, for the guest to tell them apart.
ALTER TABLE servers ADD COLUMN nic_tags TEXT NOT NULL DEFAULT '{}';
