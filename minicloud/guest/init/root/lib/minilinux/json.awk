# Flattens JSON: one line "path<TAB>value" for every leaf, with path parts joined by dots ("networks.0.routes.1.gateway").
# In values \n, \t and \\ stay escaped (for printf %b); other escapes are decoded.
function utf8(n) {
    if (n < 128) return sprintf("%c", n)
    if (n < 2048) return sprintf("%c%c", 192 + int(n / 64), 128 + n % 64)
    if (n < 65536) return sprintf("%c%c%c", 224 + int(n / 4096), 128 + int(n / 64) % 64, 128 + n % 64)
    return sprintf("%c%c%c%c", 240 + int(n / 262144), 128 + int(n / 4096) % 64, 128 + int(n / 64) % 64, 128 + n % 64)
}
function hex(s,   i, n) {
    n = 0
    for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", tolower(substr(s, i, 1))) - 1
    return n
}
function decoded(s,   out, at, c, n, low) {
    out = ""
    while ((at = index(s, "\\")) > 0) {
        out = out substr(s, 1, at - 1)
        c = substr(s, at + 1, 1)
        s = substr(s, at + 2)
        if (c == "u") {
            n = hex(substr(s, 1, 4))
            s = substr(s, 5)
            if (n >= 55296 && n < 56320 && substr(s, 1, 2) == "\\u") {
                low = hex(substr(s, 3, 4))
                s = substr(s, 7)
                n = 65536 + (n - 55296) * 1024 + low - 56320
            }
            if (n == 10) out = out "\\n"
            else if (n == 9) out = out "\\t"
            else if (n == 92) out = out "\\\\"
            else out = out utf8(n)
        }
        else if (c == "n" || c == "t" || c == "r") out = out "\\" c
        else if (c == "\\") out = out "\\\\"
        else if (c == "b" || c == "f") out = out " "
        else out = out c
    }
    return out s
}
function path(   i, p) {
    p = ""
    for (i = 1; i <= depth; i++) p = p (i > 1 ? "." : "") name[i]
    return p
}
function value(text) {
    print path() "\t" text
}
{ all = all $0 "\n" }
END {
    depth = 0
    while (match(all, /"([^"\\]|\\.)*"|[][{}:,]|[-+.0-9a-zA-Z]+/)) {
        token = substr(all, RSTART, RLENGTH)
        all = substr(all, RSTART + RLENGTH)
        if (token == "{" || token == "[") {
            depth++
            list[depth] = (token == "[")
            name[depth] = list[depth] ? 0 : ""
            key_next = (token == "{")
        }
        else if (token == "}" || token == "]") { depth--; key_next = 0 }
        else if (token == ",") {
            if (list[depth]) name[depth]++
            else key_next = 1
        }
        else if (token == ":") key_next = 0
        else {
            if (substr(token, 1, 1) == "\"") token = decoded(substr(token, 2, length(token) - 2))
            if (key_next) name[depth] = token
            else value(token)
        }
    }
}
