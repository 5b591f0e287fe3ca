-- Who reports to be alive (engines/servicegroup/database.py).
-- `heart` names the process that beats for the member, '' when nobody does; `seen` is the stamp of its last beat.

CREATE TABLE heartbeats (
    member TEXT PRIMARY KEY,
    heart TEXT NOT NULL,
    seen TEXT NOT NULL
);
