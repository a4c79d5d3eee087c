"""What capture costs the user's statement: added instructions (callgrind, single-user mode), CPU and WAL per row."""
import glob
import os
import shutil
import subprocess

from machine import add_sync, cpu, make_table, one, row_values, server_command, session, wal

SINGLE = 150        # single-row transactions counted
WARM = 300          # and not counted before: caches and plans are there, and no index is a single page any more
BULK = 4_000        # rows of one statement under callgrind
TIMED = 50_000      # rows of one statement on the clock
OPERATIONS = ("insert", "update", "delete")

OUTBOX = """
CREATE TABLE outbox (id bigserial PRIMARY KEY, source text, operation text, payload jsonb, created timestamptz DEFAULT now());
CREATE FUNCTION to_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (source, operation, payload)
    VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END));
    RETURN NULL;
END $$;
"""


def prepare(connection, report):
    """One table per way of capturing, all alike; returns the ways."""
    ways = ["none", "autosync", "outbox"]
    one(connection, OUTBOX)
    one(connection, "SELECT autosync.add_target('audit', 'test://')")
    one(connection, "SELECT autosync.pause('audit')")
    try:
        one(connection, "CREATE EXTENSION pgq")
        one(connection, "SELECT pgq.create_queue('changes')")
        ways.append("pgq")
    except Exception as problem:  # not packaged here: the others are measured all the same
        report.note(f"PgQ is not there to be measured: {str(problem).splitlines()[0]}")
    triggers = {"outbox": "to_outbox()", "pgq": "pgq.logutriga('changes')"}
    for way in ways:
        make_table(connection, f"cap_{way}")
        if way in triggers:
            one(connection, f"CREATE TRIGGER capture AFTER INSERT OR UPDATE OR DELETE ON cap_{way} FOR EACH ROW EXECUTE FUNCTION {triggers[way]}")
    add_sync(connection, "cap_autosync", "audit")
    make_table(connection, "cap_rows")
    one(connection, "SELECT autosync.add_sync('cap_rows', 'audit', '{\"capture\": \"row\"}', backfill => false)")
    return ways


def statement(operation, table, first, last):
    if operation == "insert":
        return f"INSERT INTO {table} SELECT {row_values('i')} FROM generate_series({first}, {last}) AS i"
    if operation == "update":
        return f"UPDATE {table} SET amount = amount + 1, changed = now() WHERE id BETWEEN {first} AND {last}"
    return f"DELETE FROM {table} WHERE id BETWEEN {first} AND {last}"


def single(operation, table, number):
    if operation == "insert":
        return f"INSERT INTO {table} VALUES ({row_values(number)})"
    if operation == "update":
        return f"UPDATE {table} SET amount = amount + 1, changed = now() WHERE id = {number}"
    return f"DELETE FROM {table} WHERE id = {number}"


def counted_script(way):
    """Statements, one per line, with a mark before and behind each stretch that counts; and the names of the stretches."""
    mark = "SELECT pg_backend_pid()"
    lines, stretches = [], []
    table = f"cap_{way}"
    for operation in OPERATIONS:
        lines += [single(operation, table, i) for i in range(1, WARM + 1)]
        lines += [mark, *(single(operation, table, i) for i in range(WARM + 1, WARM + SINGLE + 1)), mark]
        stretches += [None, (way, operation, "single")]
    for operation in OPERATIONS:
        lines += [statement(operation, table, 1, WARM)]
        lines += [mark, statement(operation, table, WARM + 1, WARM + BULK), mark]
        stretches += [None, (way, operation, "bulk")]
    return "\n".join(lines) + "\n", stretches


def count_way(way):
    """{(way, operation, kind): instructions per row} of one session, in which only this way of capturing is ever used: what it leaves behind
    in a session would else be charged to the next."""
    script, stretches = counted_script(way)
    root = os.environ["PGHOST"]
    postgres = os.path.join(os.environ["PATH"].split(":")[0], "postgres")
    with open(os.path.join(root, "callgrind.log"), "w", encoding="utf-8") as log:
        valgrind = ["valgrind", "--tool=callgrind", "--dump-before=pg_backend_pid", f"--callgrind-out-file={root}/callgrind.out"]
        single_user = [postgres, "--single", "-c", "shared_preload_libraries=", "-D", os.environ["AUTOSYNC_DATA"], "bench"]
        subprocess.run(["scripts/postgres", "run", *valgrind, *single_user],
                       input=script.encode(), stdout=subprocess.DEVNULL, stderr=log, timeout=1800, check=True)
    counts = {}
    dumps = sorted(glob.glob(f"{root}/callgrind.out.*"), key=lambda name: int(name.rsplit(".", 1)[1]))
    for dump, stretch in zip(dumps, stretches):
        with open(dump, encoding="utf-8", errors="replace") as file:
            total = next(int(line.split()[1]) for line in file if line.startswith(("summary:", "totals:")))
        if stretch:
            counts[stretch] = total / (SINGLE if stretch[2] == "single" else BULK)
        os.remove(dump)
    return counts


def count_instructions(ways, report):
    """{(way, operation, kind): instructions per row}; empty without valgrind. The library comes when the trigger fires: without launcher and
    worker, the shared memory of a preloaded one would only be searched in vain, at every commit."""
    if shutil.which("valgrind") is None:
        report.note("valgrind is not installed: no instruction counts")
        return {}
    server_command("stop")
    try:
        return {stretch: count for way in [*ways, "rows"] for stretch, count in count_way(way).items()}
    finally:
        server_command("start")


def measure_times(ways):
    """{(way, operation): (CPU µs per row, WAL bytes per row)} of bulk statements in an ordinary session."""
    result = {}
    for way in ways:
        with session() as connection:
            pid = one(connection, "SELECT pg_backend_pid()")
            one(connection, f"TRUNCATE cap_{way}" if way != "autosync" else "SELECT 1")
            for operation in OPERATIONS:
                one(connection, statement(operation, f"cap_{way}", 1_000_001, 1_000_100))
                before = cpu(pid), wal(connection)
                one(connection, statement(operation, f"cap_{way}", 1_000_101, 1_000_100 + TIMED))
                result[way, operation] = (cpu(pid) - before[0]) / TIMED * 1e6, (wal(connection) - before[1]) / TIMED
    return result


def shown(values, baseline, form):
    """insert / update / delete, each above the baseline."""
    return " / ".join(form(value - base) for value, base in zip(values, baseline))


def measure(report):
    with session() as connection:
        ways = prepare(connection, report)
    counts = count_instructions(ways, report)
    times = measure_times(ways)
    for kind, label, goal in (("single", "single-row transaction, added instructions", "≤ 26k · ≥ 5× · ≥ 6×"),
                              ("bulk", "bulk, added instructions per row", "≤ 5k (update ≤ 7k) · ≥ 20× fewer than plpgsql")):
        if counts:
            of = {way: [counts[way, operation, kind] for operation in OPERATIONS] for way in ways}
            report.add(f"capture, {label}: insert / update / delete", goal,
                      {way: shown(of[way], of["none"], lambda x: f"{x / 1000:.1f}k") for way in ways[1:]}, plot(f"capture, {label}", of, ways))
    if counts:
        bulk = {way: [counts[way, operation, "bulk"] for operation in OPERATIONS] for way in ("none", "rows", "outbox")}
        report.add("capture of payloads, bulk, added instructions per row: insert / update / delete", "≤ 20k · ≥ 6× fewer than plpgsql",
                   {name: shown(bulk[way], bulk["none"], lambda x: f"{x / 1000:.1f}k") for name, way in (("autosync", "rows"), ("outbox", "outbox"))})
    for index, label, goal, form in ((0, "CPU µs per row", "—", lambda x: f"{x:.2f}"), (1, "WAL bytes per row", "≤ 20 B", lambda x: f"{x:.0f}")):
        of = {way: [times[way, operation][index] for operation in OPERATIONS] for way in ways}
        report.add(f"capture, bulk, added {label}: insert / update / delete", goal,
                  {way: shown(of[way], of["none"], form) for way in ways[1:]}, plot(f"capture, bulk, added {label}", of, ways))


def plot(title, of, ways):
    """The mean of the three operations, above what the statement costs without."""
    return f"{title}, mean of insert, update, delete", {way: float(sum(of[way]) - sum(of["none"])) / 3 for way in ways[1:]}
