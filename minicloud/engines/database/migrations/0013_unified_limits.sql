-- Services whose quotas are the limits of identity; a setting says which, and each start writes them down here.

CREATE TABLE unified_limits_services (
    service  TEXT PRIMARY KEY
);
