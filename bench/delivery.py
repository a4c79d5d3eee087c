"""Outbox to a local HTTP server that answers at once: throughput, CPU per event, and how soon a commit arrives."""
import threading
import time

from machine import add_sync, cpu, fill, make_table, one, row_values, session, wait_delivered, worker

EVENTS = 300_000
COMMITS = 400
PER_SECOND = 20
LOADERS = 2
LOAD_ROWS = 100
LOAD_PER_SECOND = 30_000


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def prepare(connection, url):
    if not one(connection, "SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = 'graph')"):
        one(connection, "SELECT autosync.add_target('graph', %s)", url)
        make_table(connection, "mirrored")
        add_sync(connection, "mirrored", "graph")


def measure_throughput(report, server):
    with session() as connection:
        prepare(connection, server.url)
        one(connection, "SELECT autosync.pause('graph')")
        fill(connection, "mirrored", EVENTS)
        pid = worker(connection)
        before = cpu(pid), len(server.arrivals())
        one(connection, "SELECT autosync.resume('graph')")
        wait_delivered(connection, "graph")
        spent = cpu(pid) - before[0]
        _, rate = server.since(before[1], EVENTS)
        one(connection, "TRUNCATE mirrored")
    report.add("outbox → HTTP that answers at once, 300 B rows, batches of 500: events/s", "≥ 60,000", {"autosync": f"{rate:,.0f}"})
    report.add("— worker CPU µs per event", "≤ 12", {"autosync": f"{spent / EVENTS * 1e6:.1f}"})


def probe(server, first, table="mirrored"):
    """Commits of one row each at a steady pace: ms until its request came, after COMMIT was sent and after it returned."""
    with session() as connection:
        before = len(server.arrivals())
        connection.autocommit = False
        committed = {}
        begun = time.time()
        for number in range(COMMITS):
            time.sleep(max(0.0, begun + number / PER_SECOND - time.time()))
            key = first + number
            one(connection, f"INSERT INTO {table} VALUES ({key}, 1, 'open', 1, now(), repeat('x', 230))")
            asked = time.time()
            connection.commit()
            committed[str(key)] = asked, time.time()
    arrived = {}
    for _ in range(300):
        arrived = {key: arrival[0] for arrival in server.arrivals()[before:] for key in arrival[2]}
        if committed.keys() <= arrived.keys():
            break
        time.sleep(0.1)
    return tuple([(arrived[key] - since[which]) * 1e3 for key, since in committed.items()] for which in (0, 1))


def form(values):
    return f"{percentile(values, 0.5):.1f} / {percentile(values, 0.99):.1f}"


def load(number, stop, counts):
    """One of the sessions that write all the while, at its share of the pace; falls behind when the machine does."""
    with session() as connection:
        key, begun = number * 400_000_000 + 100_000_000, time.time()
        while not stop.is_set():
            one(connection, f"INSERT INTO mirrored SELECT {row_values('i')} FROM generate_series({key}, {key + LOAD_ROWS - 1}) AS i")
            key += LOAD_ROWS
            counts[number] += LOAD_ROWS
            stop.wait(max(0.0, begun + counts[number] * LOADERS / LOAD_PER_SECOND - time.time()))


def measure_latency(report, server):
    with session() as connection:
        prepare(connection, server.url)
        wait_delivered(connection, "graph")
    from_ask, from_return = probe(server, 900_000_000)
    report.add(f"commit → request, {PER_SECOND} commits/s: ms after COMMIT returned, p50 / p99", "≤ 2 / ≤ 10", {"autosync": form(from_return)})
    report.add("— ms after COMMIT was sent (its own flush included)", "—", {"autosync": form(from_ask)})
    stop, counts = threading.Event(), [0] * LOADERS
    threads = [threading.Thread(target=load, args=(number, stop, counts)) for number in range(LOADERS)]
    begun = time.time()
    for thread in threads:
        thread.start()
    try:
        from_ask, from_return = probe(server, 910_000_000)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    rate = sum(counts) / (time.time() - begun)
    report.add(f"— ms after COMMIT returned, while {LOADERS} sessions commit {LOAD_ROWS} rows at a time, {rate:,.0f} rows/s", "p99 ≤ 100",
              {"autosync": form(from_return)})
