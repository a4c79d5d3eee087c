"""What it costs the worker to find out which keys changed and to read their rows again, and what that leaves behind."""
import contextlib
import statistics
import time

from machine import add_sync, cpu, fill, held_snapshot, make_table, one, session, wait_delivered, worker

KEYS = 100_000
QUEUED = 50_000  # rows of the queue with SKIP LOCKED
PAIRS = 5        # of runs without and with a snapshot held: single ones differ by more than what is looked for
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
    """{table: dead rows} of tables whose qualified names match, once statistics have arrived."""
    time.sleep(2.5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, n_dead_tup FROM pg_stat_all_tables WHERE schemaname || '.' || relname ~ %s", (tables,))
        return dict(cursor.fetchall())


def more(after, before):
    """Dead rows that have come about, and where: '0', '3 (jobs 2, clock 1)'."""
    added = {table: count - before.get(table, 0) for table, count in after.items() if count > before.get(table, 0)}
    where = ", ".join(f"{table} {count}" for table, count in sorted(added.items(), key=lambda item: -item[1]))
    return f"{sum(added.values())}" + (f" ({where})" if added else "")


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
    """(µs per key of log and rows, µs per key of the log alone)."""
    fill(connection, "passed", KEYS)
    both = drain(connection, "passing") / KEYS * 1e6
    return both, drain(connection, "bystander") / KEYS * 1e6


def start_over(connection):
    """TRUNCATE needs rounds, and leaves rows of its own behind."""
    one(connection, "TRUNCATE passed")
    drain(connection, "passing")
    drain(connection, "bystander")


def run_pairs(connection):
    """Without and with a snapshot held, by turns: two lists of what run() gives, and two texts about dead rows."""
    runs, dead = ([], []), ["", ""]
    for _ in range(PAIRS):
        for held in (0, 1):
            start_over(connection)
            with held_snapshot() if held else contextlib.nullcontext():
                before = dead_rows(connection, OURS)
                runs[held].append(run(connection))
                dead[held] = more(dead_rows(connection, OURS), before)
    return runs, dead


def run_queue(connection):
    """The same of a queue table that is emptied with SKIP LOCKED: (µs of the session's CPU per row, dead rows)."""
    one(connection, "CREATE TABLE IF NOT EXISTS queue (id bigserial PRIMARY KEY, payload text)")
    before = sum(dead_rows(connection, "[.]queue$").values())
    one(connection, f"INSERT INTO queue (payload) SELECT repeat('x', 250) FROM generate_series(1, {QUEUED})")
    pid = one(connection, "SELECT pg_backend_pid()")
    started = cpu(pid)
    with connection.cursor() as cursor:
        for _ in range(QUEUED // 500):
            cursor.execute(TAKE)
    spent = (cpu(pid) - started) / QUEUED * 1e6
    return spent, sum(dead_rows(connection, "[.]queue$").values()) - before


def measure(report, server):
    with session() as connection:
        prepare(connection, server.url)
        (free_runs, held_runs), dead = run_pairs(connection)
        free, held = ([statistics.median(column) for column in zip(*runs)] for runs in (free_runs, held_runs))
        spread = max(column[0] for column in free_runs) / min(column[0] for column in free_runs) * 100 - 100
        free_queue = run_queue(connection)
        with held_snapshot():
            held_queue = run_queue(connection)
    instead = "a queue with SKIP LOCKED"
    report.add("worker: log and rows again, CPU µs per key (rows read, not decoded)", "≤ 1 + 3",
              {"autosync": f"{free[0]:.2f}", instead: f"{free_queue[0]:.2f}"})
    report.add("— the log alone", "≤ 1", {"autosync": f"{free[1]:.2f}"})
    report.add("— with a snapshot held open all the while", "unchanged, ± 5 %",
              {"autosync": f"{held[0]:.2f} ({held[0] / free[0] * 100 - 100:+.1f} %, medians of {PAIRS} by turns; those without differ by {spread:.0f} %)",
               instead: f"{held_queue[0]:.2f} ({held_queue[0] / free_queue[0] * 100 - 100:+.0f} %)"})
    report.add(f"— dead rows after {KEYS:,} keys ({QUEUED:,} queue rows), free / held", "0",
              {"autosync": f"{dead[0]} / {dead[1]}", instead: f"{free_queue[1]} / {held_queue[1]}"})
