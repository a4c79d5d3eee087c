"""What it costs the worker to find out which keys changed and to read their rows again, and what that leaves behind."""
import time

from machine import add_sync, cpu, fill, held_snapshot, make_table, one, session, wait_delivered, worker

KEYS = 200_000
QUEUED = 50_000  # rows of the queue with SKIP LOCKED
OURS = "^autosync[.](?!target_state)"  # where pausing and resuming, which only measuring needs, leaves its own
TAKE = """
WITH picked AS (SELECT id FROM queue ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 500)
DELETE FROM queue USING picked WHERE queue.id = picked.id RETURNING queue.payload
"""


def prepare(connection, url):
    """`passed` goes to a target that holds back every row once it is read; `other` looks at the same log and finds nothing for it."""
    for target, table in (("passing", "passed"), ("bystander", "other")):
        one(connection, "SELECT autosync.add_target(%s, %s)", target, url)
        one(connection, "SELECT autosync.pause(%s)", target)
        make_table(connection, table)
        add_sync(connection, table, target, '{"filter": "id < 0", "on_filtered": "keep"}')


def dead_rows(connection, tables):
    """Of tables whose qualified names match, once statistics have arrived."""
    time.sleep(2.5)
    return one(connection, "SELECT coalesce(sum(n_dead_tup), 0)::int FROM pg_stat_all_tables WHERE schemaname || '.' || relname ~ %s", tables)


def drain(connection, target):
    """The worker's CPU seconds until the target has dealt with everything."""
    pid = worker(connection)
    before = cpu(pid)
    one(connection, "SELECT autosync.resume(%s)", target)
    wait_delivered(connection, target)
    spent = cpu(pid) - before
    one(connection, "SELECT autosync.pause(%s)", target)
    return spent


def run(connection):
    """(µs per key of log and rows, µs per key of the log alone, dead rows left behind)."""
    one(connection, "TRUNCATE passed")
    drain(connection, "passing")
    drain(connection, "bystander")
    before = dead_rows(connection, OURS)
    fill(connection, "passed", KEYS)
    both = drain(connection, "passing") / KEYS * 1e6
    log = drain(connection, "bystander") / KEYS * 1e6
    return both, log, dead_rows(connection, OURS) - before


def run_queue(connection):
    """The same of a queue table that is emptied with SKIP LOCKED: (µs of the session's CPU per row, dead rows)."""
    one(connection, "CREATE TABLE IF NOT EXISTS queue (id bigserial PRIMARY KEY, payload text)")
    before = dead_rows(connection, "[.]queue$")
    one(connection, f"INSERT INTO queue (payload) SELECT repeat('x', 250) FROM generate_series(1, {QUEUED})")
    pid = one(connection, "SELECT pg_backend_pid()")
    started = cpu(pid)
    with connection.cursor() as cursor:
        for _ in range(QUEUED // 500):
            cursor.execute(TAKE)
    spent = (cpu(pid) - started) / QUEUED * 1e6
    return spent, dead_rows(connection, "[.]queue$") - before


def measure(table, server):
    with session() as connection:
        prepare(connection, server.url)
        free, free_queue = run(connection), run_queue(connection)
        with held_snapshot():
            held, held_queue = run(connection), run_queue(connection)
    instead = "a queue with SKIP LOCKED"
    table.add("worker: log and rows again, CPU µs per key (rows read, not decoded)", "≤ 1 + 3",
              {"autosync": f"{free[0]:.2f}", instead: f"{free_queue[0]:.2f}"})
    table.add("— the log alone", "≤ 1", {"autosync": f"{free[1]:.2f}"})
    table.add("— with a snapshot held open all the while", "unchanged, ± 5 %",
              {"autosync": f"{held[0]:.2f} ({held[0] / free[0] * 100 - 100:+.0f} %)",
               instead: f"{held_queue[0]:.2f} ({held_queue[0] / free_queue[0] * 100 - 100:+.0f} %)"})
    table.add(f"— dead rows after {KEYS:,} keys ({QUEUED:,} queue rows), free / held", "0",
              {"autosync": f"{free[2]} / {held[2]}", instead: f"{free_queue[1]} / {held_queue[1]}"})
