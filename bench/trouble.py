"""What a target in trouble costs the others, and how close to its limit one is served that allows so many requests a second."""
import contextlib
import socket
import statistics
import time

from machine import InstantServer, add_sync, fill, make_table, one, session, wait_delivered

EVENTS = 100_000
TURNS = 3     # of runs without and with trouble
ALLOWED = 20  # requests a second
BATCH = 500   # rows of each
LIMITED = 80_000


@contextlib.contextmanager
def hanging():
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def down():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


def drain(connection, server, first):
    """Rows a second into the target that is well."""
    one(connection, "SELECT autosync.pause('well')")
    for start in range(first, first + EVENTS, 1000):
        one(connection, "UPDATE two_ways SET amount = amount + 1 WHERE id BETWEEN %s AND %s", start, start + 999)
    before = len(server.arrivals())
    one(connection, "SELECT autosync.resume('well')")
    wait_delivered(connection, "well")
    return server.since(before, EVENTS)[1]


def beside(connection, server, trouble):
    """(median rate alone, median rate beside a target in this trouble), by turns."""
    rates = [], []
    for _ in range(TURNS):
        one(connection, "SELECT autosync.pause('sick')")
        rates[0].append(drain(connection, server, 1))
        with trouble() as url:
            one(connection, f"ALTER SERVER sick OPTIONS (SET url '{url}')")
            one(connection, "SELECT autosync.resume('sick')")
            rates[1].append(drain(connection, server, 1))
    return tuple(statistics.median(each) for each in rates)


def measure(report, server):
    with session() as connection:
        one(connection, "SELECT autosync.add_target('well', %s)", server.url)
        one(connection, "SELECT autosync.add_target('sick', %s)", server.url)
        make_table(connection, "two_ways")
        fill(connection, "two_ways", EVENTS)
        add_sync(connection, "two_ways", "well")
        add_sync(connection, "two_ways", "sick")
        for trouble in (hanging, down):
            alone, beside_it = beside(connection, server, trouble)
            report.add(f"one target {trouble.__name__}: events/s into another of the same table, alone → beside it", "−5 % at most",
                       {"autosync": f"{alone:,.0f} → {beside_it:,.0f} ({beside_it / alone * 100 - 100:+.1f} %, medians of {TURNS} by turns)"})
        one(connection, "SELECT autosync.drop_sync('two_ways', 'sick')")
        one(connection, "SELECT autosync.drop_sync('two_ways', 'well')")
    limited = InstantServer(server.program, server.port + 1, ALLOWED)
    try:
        measure_limit(report, limited)
    finally:
        limited.stop()


def measure_limit(report, limited):
    with session() as connection:
        one(connection, "SELECT autosync.add_target('limited', %s, %s)", limited.url, f'{{"batch_size": "{BATCH}"}}')
        make_table(connection, "many")
        add_sync(connection, "many", "limited")
        wait_delivered(connection, "limited")
        one(connection, "SELECT autosync.pause('limited')")
        fill(connection, "many", LIMITED)
        before = len(limited.arrivals())
        time.sleep(1)  # until it would take a second's requests at once
        began = time.monotonic()
        one(connection, "SELECT autosync.resume('limited')")
        wait_delivered(connection, "limited")
        took = time.monotonic() - began
        limited.since(before, LIMITED)
        dead = one(connection, "SELECT failed FROM autosync.stat_targets WHERE target = 'limited'")
        one(connection, "SELECT autosync.drop_sync('many', 'limited')")
    fastest = LIMITED / BATCH / ALLOWED - 1  # the first second's are there from the beginning
    report.add(f"429 storm: a target that takes {ALLOWED} requests a second: time for {LIMITED:,} rows in batches of {BATCH}, against the fastest",
               "≤ 1.2×, 0 dead letters", {"autosync": f"{took / fastest:.2f}×, {dead} dead letters"})
