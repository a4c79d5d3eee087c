"""Debezium Server beside autosync: the same table, the same rows, the same HTTP server that answers at once, in one run."""
import os
import subprocess
import time

from delivery import PER_SECOND, form, percentile, prepare, probe
from machine import cpu_of_threads, fill, make_table, one, session, wait_delivered, worker

EVENTS = 100_000
SETTINGS = """
debezium.sink.type=http
debezium.sink.http.url={url}/debezium
debezium.sink.http.timeout.ms=60000
debezium.format.value=json
debezium.format.value.schemas.enable=false
debezium.format.key=json
debezium.format.key.schemas.enable=false
debezium.source.connector.class=io.debezium.connector.postgresql.PostgresConnector
debezium.source.offset.storage.file.filename={folder}/offsets
debezium.source.offset.flush.interval.ms=1000
debezium.source.database.hostname=127.0.0.1
debezium.source.database.port={port}
debezium.source.database.user=postgres
debezium.source.database.password=none
debezium.source.database.dbname=bench
debezium.source.topic.prefix=bench
debezium.source.table.include.list=public.logged
debezium.source.publication.autocreate.mode=filtered
debezium.source.plugin.name=pgoutput
debezium.source.snapshot.mode=no_data
debezium.source.poll.interval.ms=1
debezium.source.max.batch.size=8192
debezium.source.max.queue.size=32768
quarkus.http.port=0
quarkus.log.level=WARN
"""


class Debezium:
    """A Debezium Server, tuned: short polls, large batches, JSON without schemas."""

    def __init__(self, home, server):
        self.home, self.process = home, None
        self.folder = os.path.join(os.environ["BENCH_PEERS"], "debezium-run")
        os.makedirs(os.path.join(self.folder, "conf"), exist_ok=True)
        with open(os.path.join(self.folder, "conf", "application.properties"), "w", encoding="utf-8") as file:
            file.write(SETTINGS.format(url=server.url, folder=self.folder, port=os.environ["PGPORT"]))

    def start(self, connection):
        classes = [*(name for name in os.listdir(self.home) if name.endswith("runner.jar")), "lib/*"]
        path = ":".join([os.path.join(self.folder, "conf"), *(os.path.join(self.home, part) for part in classes)])
        with open(os.path.join(self.folder, "log"), "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(["java", "-Xmx1g", "-cp", path, "io.debezium.server.Main"], cwd=self.folder, stdout=log, stderr=log)
        for _ in range(600):
            if one(connection, "SELECT count(*) FROM pg_replication_slots WHERE active"):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"Debezium Server did not start: see {self.folder}/log")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def drain_debezium(connection, debezium, server):
    """(rows a second, CPU µs of its process per row) of what was committed while it was away."""
    before = len(server.arrivals())
    fill(connection, "logged", EVENTS)
    debezium.start(connection)
    began = cpu_of_threads(debezium.process.pid)
    for _ in range(6000):
        if len(server.arrivals()) - before >= EVENTS:
            break
        time.sleep(0.1)
    spent = cpu_of_threads(debezium.process.pid) - began
    return server.since(before, EVENTS)[1], spent / EVENTS * 1e6


def drain_autosync(connection, server):
    one(connection, "SELECT autosync.pause('graph')")
    fill(connection, "mirrored", EVENTS)
    pid, before = worker(connection), len(server.arrivals())
    began = cpu_of_threads(pid)
    one(connection, "SELECT autosync.resume('graph')")
    wait_delivered(connection, "graph")
    return server.since(before, EVENTS)[1], (cpu_of_threads(pid) - began) / EVENTS * 1e6


def measure(report, server):
    with session() as connection:
        prepare(connection, server.url)
        wait_delivered(connection, "graph")
        make_table(connection, "logged")
        debezium = Debezium(os.environ["DEBEZIUM_HOME"], server)
        debezium.start(connection)  # makes its slot
        debezium.stop()
        try:
            theirs = drain_debezium(connection, debezium, server)
            ours = drain_autosync(connection, server)
            table_rows(report, server, ours, theirs)
        finally:
            debezium.stop()


def table_rows(report, server, ours, theirs):
    name = "Debezium Server"
    title = "outbox or WAL → HTTP that answers at once, 300 B rows"
    report.add(f"{title}: events/s", "≥ 60,000", {"autosync": f"{ours[0]:,.0f}", name: f"{theirs[0]:,.0f}"},
               (f"{title}: events/s (more is better)", {"autosync": ours[0], name: theirs[0]}))
    report.add("— CPU µs per event, of the worker or of Java", "≤ 12", {"autosync": f"{ours[1]:.1f}", name: f"{theirs[1]:.1f}"},
               ("— CPU µs per event", {"autosync": ours[1], name: theirs[1]}))
    mine, other = probe(server, 920_000_000)[1], probe(server, 930_000_000, "logged")[1]
    report.add(f"commit → request, {PER_SECOND} commits/s: ms after COMMIT returned, p50 / p99", "≤ 2 / ≤ 10", {"autosync": form(mine), name: form(other)},
               ("commit → request, ms, p99", {"autosync": percentile(mine, 0.99), name: percentile(other, 0.99)}))
