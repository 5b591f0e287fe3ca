-- Reconcilers ask again and again which moves wait for something.
CREATE INDEX server_migrations_by_status ON server_migrations (status, id);
CREATE INDEX server_migrations_by_dest ON server_migrations (dest_compute, status);
