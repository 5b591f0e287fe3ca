-- Network: policies of quality of service, names in DNS, options of DHCP, and further attributes of ports and subnets.

CREATE TABLE qos_policies (
    id               TEXT PRIMARY KEY,
    project_id       TEXT NOT NULL,
    name             TEXT NOT NULL,
    description      TEXT NOT NULL,
    is_default       INTEGER NOT NULL,
    tags             TEXT NOT NULL,
    revision_number  INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
);
CREATE INDEX qos_policies_of_project ON qos_policies (project_id, name);
CREATE UNIQUE INDEX qos_policies_default ON qos_policies (project_id) WHERE is_default = 1;

-- ``amount`` is in kbit/s or kpackets/s, or the mark of a rule that marks; ``burst`` likewise.
CREATE TABLE qos_rules (
    id         TEXT PRIMARY KEY,
    policy_id  TEXT NOT NULL REFERENCES qos_policies (id) ON DELETE CASCADE,
    type       TEXT NOT NULL,
    direction  TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    burst      INTEGER NOT NULL
);
CREATE UNIQUE INDEX qos_rules_once ON qos_rules (policy_id, type, direction);

ALTER TABLE networks ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE networks ADD COLUMN qos_policy_id TEXT;
CREATE INDEX networks_of_qos ON networks (qos_policy_id) WHERE qos_policy_id IS NOT NULL;

ALTER TABLE subnets ADD COLUMN service_types TEXT NOT NULL DEFAULT '[]';
ALTER TABLE subnets ADD COLUMN segment_id TEXT;
ALTER TABLE subnets ADD COLUMN dns_publish_fixed_ip INTEGER NOT NULL DEFAULT 0;

ALTER TABLE ports ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
ALTER TABLE ports ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE ports ADD COLUMN extra_dhcp_opts TEXT NOT NULL DEFAULT '[]';
ALTER TABLE ports ADD COLUMN qos_policy_id TEXT;
ALTER TABLE ports ADD COLUMN propagate_uplink_status INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ports ADD COLUMN data_plane_status TEXT;
ALTER TABLE ports ADD COLUMN numa_affinity_policy TEXT;
ALTER TABLE ports ADD COLUMN device_profile TEXT;
CREATE INDEX ports_of_qos ON ports (qos_policy_id) WHERE qos_policy_id IS NOT NULL;

ALTER TABLE floating_ips ADD COLUMN dns_name TEXT NOT NULL DEFAULT '';
ALTER TABLE floating_ips ADD COLUMN dns_domain TEXT NOT NULL DEFAULT '';
ALTER TABLE floating_ips ADD COLUMN qos_policy_id TEXT;
ALTER TABLE routers ADD COLUMN gateway_qos_policy_id TEXT;
