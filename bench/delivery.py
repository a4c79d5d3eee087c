"""Outbox to a local HTTP server that answers at once: throughput, CPU per event, and how soon a commit arrives."""
import time

from machine import add_sync, cpu, fill, make_table, one, session, wait_delivered, worker

EVENTS = 300_000
COMMITS = 400
PER_SECOND = 20


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def prepare(connection, url):
    if not one(connection, "SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = 'graph')"):
        one(connection, "SELECT autosync.add_target('graph', %s)", url)
        make_table(connection, "mirrored")
        add_sync(connection, "mirrored", "graph")


def measure_throughput(table, server):
    with session() as connection:
        prepare(connection, server.url)
        one(connection, "SELECT autosync.pause('graph')")
        fill(connection, "mirrored", EVENTS)
        pid = worker(connection)
        before = cpu(pid), len(server.arrivals())
        one(connection, "SELECT autosync.resume('graph')")
        wait_delivered(connection, "graph")
        spent = cpu(pid) - before[0]
        arrivals = server.arrivals()[before[1]:]
        one(connection, "TRUNCATE mirrored")
    rows = sum(arrival[1] for arrival in arrivals)
    if rows != EVENTS:
        raise RuntimeError(f"{rows} rows arrived instead of {EVENTS}")
    # The first request's rows were read before the clock began.
    rate = (rows - arrivals[0][1]) / (arrivals[-1][0] - arrivals[0][0])
    table.add("outbox → HTTP that answers at once, 300 B rows, batches of 500: events/s", "≥ 60,000", {"autosync": f"{rate:,.0f}"})
    table.add("— worker CPU µs per event", "≤ 12", {"autosync": f"{spent / rows * 1e6:.1f}"})


def measure_latency(table, server):
    with session() as connection:
        prepare(connection, server.url)
        wait_delivered(connection, "graph")
        before = len(server.arrivals())
        connection.autocommit = False
        committed = {}
        begun = time.time()
        for number in range(COMMITS):
            time.sleep(max(0.0, begun + number / PER_SECOND - time.time()))
            key = 2_000_000 + number
            one(connection, f"INSERT INTO mirrored VALUES ({key}, 1, 'open', 1, now(), repeat('x', 230))")
            asked = time.time()
            connection.commit()
            committed[str(key)] = asked, time.time()
        connection.autocommit = True
        wait_delivered(connection, "graph")
    arrived = {key: arrival[0] for arrival in server.arrivals()[before:] for key in arrival[2]}
    from_ask = [(arrived[key] - asked) * 1e3 for key, (asked, _) in committed.items()]
    from_return = [(arrived[key] - returned) * 1e3 for key, (_, returned) in committed.items()]

    def form(values):
        return f"{percentile(values, 0.5):.1f} / {percentile(values, 0.99):.1f}"
    table.add(f"commit → request, {PER_SECOND} commits/s: ms after COMMIT returned, p50 / p99", "≤ 2 / ≤ 10", {"autosync": form(from_return)})
    table.add("— ms after COMMIT was sent (its own flush included)", "—", {"autosync": form(from_ask)})
