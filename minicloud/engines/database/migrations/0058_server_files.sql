-- Files that servers were asked to be given at their first start ("personality", before 2.57).

CREATE TABLE server_files (
    server_id  TEXT NOT NULL,
    position   INTEGER NOT NULL,
    path       TEXT NOT NULL,
    contents   TEXT NOT NULL,
    PRIMARY KEY (server_id, position)
);
