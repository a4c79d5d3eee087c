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
# A server that was killed a moment ago has its port until the last of its threads is gone.
port_comes_free() { for _ in $(seq 1 100); do port_is_free "$1" && return 0; sleep 0.05; done; return 1; }

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

# A Python with the packages of a pinned list, made once per list; prints its path: python_with REQUIREMENTS SIZE.
python_with() (
    name=$(basename "$(dirname "$1")")
    venv=$cache/$name-$(cksum <"$here/$1" | cut -d' ' -f1)
    mkdir -p "$cache"
    exec 9>"$cache/$name.lock"
    flock 9
    if [ ! -e "$venv/.complete" ]; then
        echo "$name: installing the packages of $1 (about $2, once)" >&2
        rm -rf "$venv"
        if ! { "$python" -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check --no-deps -r "$here/$1"; } >&2; then
            echo "$name: could not install them" >&2
            exit 1
        fi
        touch "$venv/.complete"
    fi
    echo "$venv/bin/python"
)
# With what the stand-ins of test/parts need.
parts_python() { python_with test/parts/requirements.txt '230 MB'; }

# A server of ours that runs in the background: serve NAME DIR COMMAND…; its pid and what it says are kept in DIR.
serve() {
    local name=$1 dir=$2
    shift 2
    setsid nohup "$@" >"$dir/console.log" 2>&1 9>&- </dev/null &
    echo $! >"$dir/$name.pid"
}
# Our process, and not another one that got its number: pid files outlive machines.
serves() { [ -s "$2/$1.pid" ] && tr '\0' ' ' <"/proc/$(cat "$2/$1.pid")/cmdline" 2>/dev/null | grep -qF -- "$3"; }
# Waits until it answers: serving NAME DIR URL SECONDS
serving() {
    local end=$((SECONDS + $4))
    while [ $SECONDS -lt $end ]; do
        curl -sf -m 2 -o /dev/null "$3" && return 0
        kill -0 "$(cat "$2/$1.pid")" 2>/dev/null || { echo "$1: it ended while starting:" >&2; tail -n 20 "$2/console.log" >&2; rm -f "$2/$1.pid"; return 1; }
        sleep 0.1
    done
    echo "$1: not ready after $4 s, see $2/console.log" >&2
    return 1
}
# End it: unserve NAME DIR MARK SIGNAL, where MARK is what its command line holds.
unserve() {
    local process
    if serves "$1" "$2" "$3"; then
        process=$(cat "$2/$1.pid")
        kill "-${4:-TERM}" "$process"
        # Where nobody buries the dead, the number of a process outlives it.
        for _ in $(seq 1 100); do serves "$1" "$2" "$3" || break; sleep 0.05; done
        ! serves "$1" "$2" "$3" || kill -9 "$process"
    fi
    rm -f "$2/$1.pid"
}
