# Turns a flattened network_data.json into one line per thing to do, each with the card's MAC address first:
#   MAC mtu N | MAC dhcp | MAC address A/MASK | MAC route NETWORK/MASK GATEWAY | MAC unknown TYPE | - dns ADDRESS
BEGIN { FS = "\t" }
{
    n = split($1, p, ".")
    if (p[1] == "links" && n == 3) link[p[2], p[3]] = $2
    if (p[1] == "links" && p[2] + 1 > links) links = p[2] + 1
    if (p[1] == "networks" && n == 3) net[p[2], p[3]] = $2
    if (p[1] == "networks" && p[2] + 1 > nets) nets = p[2] + 1
    if (p[1] == "networks" && p[3] == "routes" && n == 5) {
        route[p[2], p[4], p[5]] = $2
        if (p[4] + 1 > routes[p[2]]) routes[p[2]] = p[4] + 1
    }
    if ($1 ~ /^(networks\.[0-9]+\.)?services\.[0-9]+\.(type|address)$/) {
        of = $1
        sub(/\.[a-z]+$/, "", of)
        if (!(of in seen)) { seen[of] = 1; services[++count] = of }
        service[of, p[n]] = $2
    }
}
# The mask as a number: 255.255.255.0, ffff:ffff:: and 24 all occur.
function bits(mask,   n, i, j, part, sum) {
    if (mask !~ /[.:]/) return mask
    sum = 0
    if (mask ~ /:/) {
        n = split(mask, part, "")
        for (i = 1; i <= n; i++) {
            j = index("8cef", tolower(part[i]))
            sum += j
        }
        return sum
    }
    n = split(mask, part, ".")
    for (i = 1; i <= n; i++)
        for (j = 128; j >= 1; j /= 2)
            if (part[i] >= j) { sum++; part[i] -= j }
    return sum
}
END {
    for (i = 0; i < links; i++) {
        mac[link[i, "id"]] = tolower(link[i, "ethernet_mac_address"])
        if (link[i, "mtu"] + 0 > 0) print mac[link[i, "id"]], "mtu", link[i, "mtu"]
        if (link[i, "type"] == "vlan" || link[i, "type"] == "bond") print mac[link[i, "id"]], "unknown", "link type " link[i, "type"]
    }
    for (i = 0; i < nets; i++) {
        m = mac[net[i, "link"]]
        if (m == "") continue
        type = net[i, "type"]
        if (type == "ipv4_dhcp") print m, "dhcp"
        else if (type == "ipv4" || type == "ipv6" || type == "ipv6_static") {
            a = net[i, "ip_address"]
            if (a !~ /\//) a = a "/" bits(net[i, "netmask"])
            print m, "address", a
            if (net[i, "gateway"] != "") print m, "route", "default", net[i, "gateway"]
            for (j = 0; j < routes[i]; j++)
                print m, "route", route[i, j, "network"] "/" bits(route[i, j, "netmask"]), route[i, j, "gateway"]
        }
        else if (type ~ /^ipv6_(slaac|dhcpv6-stateless)$/) print m, "slaac"
        else print m, "unknown", "network type " type
    }
    for (i = 1; i <= count; i++)
        if (service[services[i], "type"] == "dns") print "-", "dns", service[services[i], "address"]
}
