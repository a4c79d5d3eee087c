# What the scripts share: sourced, never run.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/autosync

# The pinned major version first, so that a newer one beside it does not get in.
find_pg_config() {
    local candidate
    for candidate in "${PG_CONFIG:-}" /usr/lib/postgresql/15/bin/pg_config "$(command -v pg_config || true)"; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null && { command -v "$candidate"; return 0; }
    done
    echo "pg_config not found: run scripts/setup first" >&2
    return 1
}

# A folder of this user's and this checkout's own, below the temporary one: socket paths have to be short.
private_folder() { printf '%s/autosync-%s-%s%s' "${TMPDIR:-/tmp}" "$(id -un)" "$(printf %s "$here" | cksum | cut -d' ' -f1)" "${1:-}"; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The first free loopback port from $1 upwards.
free_port() {
    local port
    for port in $(seq "$1" $(($1 + 200))); do
        port_is_free "$port" && { echo "$port"; return 0; }
    done
    echo "no free port between $1 and $(($1 + 200))" >&2
    return 1
}

# Debian's own: another one that comes first in PATH does not see Debian's packages.
python=/usr/bin/python3
