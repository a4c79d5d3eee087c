"""The long runs: what the tests do for seconds, for as long as one likes. It goes on where it was cut off, and ends with one table.
  make torture [SCENARIOS="F1 F32"] [KILLS=20] [EVENTS=100000] [SEED=1]
What has been done lies in build/torture, one file a scenario; remove it to begin anew."""
import contextlib
import dataclasses
import json
import os
import pathlib
import random
import re
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from servers import ROOT, Database, Server  # noqa: E402
from crashes import Storm, crash_loop  # noqa: E402
from graph import Graph  # noqa: E402
from oracle import TABLE, Verdict, differences  # noqa: E402

STATE = ROOT / "build" / "torture"


class Run:
    """One scenario: its verdict so far, and what it has measured."""

    def __init__(self, name, server, wanted, seed):
        self.name, self.server, self.wanted, self.seed = name, server, wanted, seed
        self.file = STATE / (name + ".json")
        self.verdict, self.notes, self.done, self.seconds = Verdict(), {}, 0, 0.0
        if self.file.exists():
            state = json.loads(self.file.read_text())
            self.verdict, self.notes, self.done, self.seconds = Verdict(**state["verdict"]), state["notes"], state["done"], state["seconds"]
        self.began = time.monotonic()
        self.crashes = len(server.crashes())
        self.graph = None

    def save(self, done):
        now = time.monotonic()
        self.done, self.seconds, self.began = done, self.seconds + now - self.began, now
        STATE.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"verdict": dataclasses.asdict(self.verdict), "notes": self.notes, "done": done, "wanted": self.wanted,
                                         "seconds": self.seconds, "seed": self.seed, "date": time.strftime("%Y-%m-%d")}, indent=1))

    def scene(self, **options):
        """A database of its own, with one table that the graph follows."""
        graph = Graph(full_journal=False)
        database = Database(self.server, "torture_" + self.name.lower())
        database.execute(TABLE)
        database.add_graph(graph)
        database.execute("SELECT autosync.add_sync('things', 'graph')")
        database.wait_delivered()
        self.graph = graph
        return database, graph

    def leave(self):
        """Databases share the workers: one that is done with keeps none."""
        with contextlib.closing(self.server.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute('DROP DATABASE IF EXISTS "torture_%s" WITH (FORCE)' % self.name.lower())
        if self.graph is not None:
            self.graph.stop()

    def count(self, graph, before=(0, 0, 0)):
        """What the journal has counted since the last time."""
        now = graph.journal.events, graph.journal.duplicates, graph.journal.inversions
        self.verdict.add(Verdict(events=now[0] - before[0], duplicates=now[1] - before[1], inversions=now[2] - before[2]))
        return now


def worker(database):
    return database.value("SELECT pid FROM autosync.stat_workers WHERE datname = current_database()")


def used(pid):
    """Megabytes in memory that are its own, and open files."""
    fields = dict(line.split(":", 1) for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines() if ":" in line)
    return (int(fields["RssAnon"].split()[0]) >> 10, len(list(pathlib.Path("/proc/%d/fd" % pid).iterdir())))


def log_megabytes(database):
    return database.value("SELECT sum(pg_total_relation_size(('autosync.' || t)::regclass))::bigint >> 20"
                          " FROM unnest('{log_0,log_1,log_2,cursor_0,cursor_1}'::text[]) AS t")


def emptied(database, patience=30):
    """Megabytes of the log once it has been emptied, or what is left after a while."""
    end = time.monotonic() + patience
    while log_megabytes(database) > 8 and time.monotonic() < end:
        time.sleep(0.5)
    return log_megabytes(database)


def percentile(times, share):
    return statistics.quantiles(times, n=1000)[int(share * 10) - 1] * 1000 if len(times) > 1 else 0


def crashing(run, writers, **options):
    durable = options.pop("durable", True)
    database, graph = run.scene()
    seed = run.seed + run.done  # what was cut off goes on, it does not begin anew
    storm = Storm(database, graph, seed, writers, **options)
    before = (0, 0, 0)
    try:
        for verdict in crash_loop(storm, run.server, seed, run.wanted - run.done, durable, hows=("kill",)):
            run.verdict.add(verdict)
            before = run.count(graph, before)
            run.verdict.restarts += len(run.server.crashes()) - run.crashes
            run.crashes = len(run.server.crashes())
            run.save(run.done + 1)
            if run.done % 10 == 0:
                print("%s: %s" % (run.name, run.verdict), flush=True)
    finally:
        storm.end()
    database.wait_delivered()
    run.count(graph, before)
    run.verdict.lost += len(differences(database, graph))
    run.verdict.disturbed += sum(len(writer.disturbed) for writer in storm.writers)
    run.verdict.commits += sum(writer.committed for writer in storm.writers)
    run.save(run.done)


def f1(run):
    """kill -9 of the postmaster under eight writers."""
    crashing(run, 8)


def f32(run):
    """The same while commits do not wait for the disk."""
    with run.server.connect("postgres").cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        cursor.execute("SELECT pg_reload_conf()")
    crashing(run, 4, durable=False, session="SET synchronous_commit = off")
    with run.server.connect("postgres").cursor() as cursor:
        cursor.execute("ALTER SYSTEM RESET wal_writer_delay")
        cursor.execute("SELECT pg_reload_conf()")


def compare_commits(storm, graph, turns=8, seconds=5):
    """p99 of commits in ms, with the target and without, by turns: what else the machine does then meets both alike."""
    found = [], []
    for turn in range(2 * turns):
        if turn % 2:
            graph.stop()
        elif turn:
            graph.start()
        for writer in storm.writers:
            writer.times.clear()
        time.sleep(seconds)
        found[turn % 2].append(percentile([time_ for writer in storm.writers for time_ in list(writer.times)], 99))
    return [round(statistics.median(times), 2) for times in found]


def f4(run):
    """The target is away while so many events come: writers do not notice, memory stays, and all of it is delivered after."""
    database, graph = run.scene()
    storm = Storm(database, graph, run.seed, 4, pause=0.001, keys=50_000)
    with_target, without = compare_commits(storm, graph)
    for writer in storm.writers:
        writer.pause = 0
    memory = used(worker(database))[0]
    before = sum(writer.changes for writer in storm.writers)
    while sum(writer.changes for writer in storm.writers) - before < run.wanted:
        time.sleep(0.2)
    storm.hold()
    size, away = log_megabytes(database), used(worker(database))[0]
    events = sum(writer.changes for writer in storm.writers)
    graph.start()
    database.execute("SELECT autosync.resume('graph')")
    began = time.monotonic()
    database.wait_delivered(timeout=3600)
    seconds = time.monotonic() - began
    storm.end()
    run.count(graph)
    run.verdict.lost += len(differences(database, graph))
    run.verdict.disturbed += sum(len(writer.disturbed) for writer in storm.writers)
    run.notes = {"events while it was away": events - before, "p99 of commits, ms, with the target": with_target, "without": without,
                 "worker's memory, MB, before": memory, "while away": away, "after": used(worker(database))[0], "log, MB, full": size, "log, MB, after": emptied(database),
                 "drained in s": round(seconds, 1)}
    run.save(run.wanted)


def f24(run):
    """So many dead letters are tried again; some of their rows have become right, changed or gone since."""
    database, graph = run.scene()
    database.execute("ALTER SERVER graph OPTIONS (ADD max_attempts '1'); SET autosync.log_errors = off")
    database.execute("ALTER DATABASE torture_f24 SET autosync.log_errors = off; SELECT pg_terminate_backend(pid) FROM autosync.stat_workers WHERE datname = current_database()")
    graph.refusing = re.compile("poison")
    began = time.monotonic()
    database.execute("INSERT INTO things SELECT i, 1, 'poison' FROM generate_series(1, %s) AS i", run.wanted)
    while database.value("SELECT failed FROM autosync.stat_targets WHERE target = 'graph'") < run.wanted:
        time.sleep(0.5)
    refused = time.monotonic() - began
    memory = used(worker(database))[0]
    database.execute("UPDATE things SET seq = 2, pad = NULL WHERE id % 3 = 0; DELETE FROM things WHERE id % 10 = 1")
    graph.refusing = re.compile("(?!)")
    began, peak = time.monotonic(), memory
    database.execute("SELECT autosync.retry('graph')")
    while not database.value("SELECT autosync.wait_delivered('graph', '1 s')"):
        peak = max(peak, used(worker(database))[0])
    seconds = time.monotonic() - began
    run.count(graph)
    run.verdict.lost += len(differences(database, graph)) + database.value("SELECT count(*) FROM autosync.failed_events")
    run.notes = {"dead letters": run.wanted, "refused in s": round(refused, 1), "delivered in s": round(seconds, 1), "worker's memory, MB, before": memory, "at most": peak}
    run.save(run.wanted)


def f27(run):
    """COPY of so many rows: what it costs, and what is left of the log."""
    database, graph = run.scene()
    rows = "COPY %s FROM PROGRAM 'seq 1 %d | awk ''{print $1 \"\\t\" $1 \"\\tx\"}''' "
    database.execute("CREATE TABLE bare (id int PRIMARY KEY, seq bigint NOT NULL, pad text)")
    began = time.monotonic()
    database.execute(rows % ("bare", run.wanted))
    bare = time.monotonic() - began
    began = time.monotonic()
    database.execute(rows % ("things", run.wanted))
    synced = time.monotonic() - began
    began = time.monotonic()
    memory = 0
    while not database.value("SELECT autosync.wait_delivered('graph', '10 s')"):
        memory = max(memory, used(worker(database))[0])
    drained = time.monotonic() - began
    run.count(graph)
    rows = database.value("SELECT count(*) FROM things")
    held = graph.held()
    run.verdict.lost += abs(rows - len(held)) + sum(1 for key, number in held.items() if int(key) != number)
    run.notes = {"rows": rows, "COPY, s, without a sync": round(bare, 1), "with it": round(synced, 1), "factor": round(synced / bare, 2),
                 "delivered in s": round(drained, 1), "log, MB, after": emptied(database), "worker's memory, MB": memory}
    run.save(run.wanted)


def f31(run):
    """So many events in one life of the worker: memory, files and log stay as they are."""
    database, graph = run.scene()
    storm = Storm(database, graph, run.seed + run.done, 2, pause=0, keys=2_000)
    pid = worker(database)
    samples = run.notes.setdefault("samples", [])
    before, noted, events = (0, 0, 0), time.monotonic(), run.done
    with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE many (id int PRIMARY KEY, seq bigint NOT NULL); SELECT autosync.add_sync('many', 'graph')")
        cursor.execute("INSERT INTO many SELECT i, 0 FROM generate_series(1, 20000) AS i")
        number = 0
        while events < run.wanted:
            number += 1
            cursor.execute("UPDATE many SET seq = %s", (number,))
            cursor.execute("SELECT autosync.wait_delivered('graph', '600 s')")
            before = run.count(graph, before)
            events = run.verdict.events
            if time.monotonic() - noted > 20 or not samples:
                noted = time.monotonic()
                samples.append([events, *used(pid), log_megabytes(database)])
                run.save(events)
                print("F31: %d events, %d MB, %d files, log %d MB" % tuple(samples[-1]), flush=True)
    storm.end()
    database.wait_delivered()
    run.count(graph, before)
    run.verdict.lost += len(differences(database, graph)) + len(differences(database, graph, "many"))
    run.verdict.disturbed += sum(len(writer.disturbed) for writer in storm.writers)
    run.verdict.restarts += worker(database) != pid
    run.save(run.verdict.events)


SCENARIOS = {"F1": (f1, "KILLS", 200), "F4": (f4, "EVENTS", 1_000_000), "F24": (f24, "LETTERS", 100_000), "F27": (f27, "EVENTS", 10_000_000), "F31": (f31, "EVENTS", 10_000_000),
             "F32": (f32, "KILLS", 100)}


def table(runs):
    lines = ["| scenario | kills | events | lost | duplicates | inversions | unplanned restarts | disturbed | min | seed |", "| --- " * 10 + "|"]
    for run in runs:
        it = run.verdict
        lines.append("| %s | %d | %d | %d | %d | %d | %d | %d | %.1f | %d |" % (run.name, it.kills, it.events, it.lost + it.forgotten + it.ahead, it.duplicates,
                                                                               it.inversions, it.restarts, it.disturbed, run.seconds / 60, run.seed))
    lines += ["\n%s: %s" % (run.name, ", ".join("%s: %s" % item for item in run.notes.items() if item[0] != "samples")) for run in runs if run.notes]
    return "\n".join(lines)


def main():
    chosen = os.environ.get("SCENARIOS", " ".join(SCENARIOS)).split()
    unknown = [name for name in chosen if name not in SCENARIOS]
    if unknown:
        sys.exit("torture: no scenario %s; there are %s" % (" ".join(unknown), " ".join(SCENARIOS)))
    seed = int(os.environ.get("SEED", random.randrange(1_000_000)))
    print("seed %d" % seed, flush=True)
    os.environ.setdefault("AUTOSYNC_ROOT", "%s/autosync-torture-%d" % (os.environ.get("TMPDIR", "/tmp"), os.getuid()))
    os.environ.setdefault("AUTOSYNC_CONF", "fsync = off")  # nobody pulls the plug
    server = Server()
    runs = []
    try:
        for name in chosen:
            act, unit, usual = SCENARIOS[name]
            run = Run(name, server, int(os.environ.get(unit, usual)), seed)
            runs.append(run)
            if run.done < run.wanted:
                print("%s: %s" % (name, act.__doc__), flush=True)
                act(run)
                run.leave()
    finally:
        server.stop("immediate")
        text = table(runs)
        STATE.mkdir(parents=True, exist_ok=True)
        (STATE / "table.md").write_text(text + "\n")
        print(text)
    sys.exit(0 if all(run.verdict.faultless() for run in runs) else 1)


if __name__ == "__main__":
    main()
