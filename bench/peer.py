"""The peer: a real OpenStack Zed from Debian 12's packages on a machine of this kind (2 cores), measured once, by name of figure."""

FIGURES = {
    "token_password_ms": 176.0,
    "boot_ms": 882.0,
    "boot_storm_per_s": 1.08,
    "servers_detail_100_ms": 132.0,
    "server_show_ms": 39.8,
    "port_create_per_s": 13.6,
    "candidates_1000_ms": 88.8,
    "candidates_10000_limit_100_ms": 994.0,
    "networks_ms": 22.5,
    "volumes_per_s": 21.8,
    "memory_idle_mib": 3695.0,
    "start_s": 18.0,
}
