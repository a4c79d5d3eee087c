"""The server is killed under writers, twenty times here and as often as one likes in scripts/torture. The seed is printed; AUTOSYNC_FAULT_SEED replays it."""
import os
import time

from crashes import Storm, crash_loop
from oracle import Verdict, differences

SEED = int(os.environ.get("AUTOSYNC_FAULT_SEED", time.time_ns() % 1_000_000))


def run(things, server, graph, kills, **options):
    durable = options.pop("durable", True)
    storm = Storm(things, graph, SEED, 4, **options)
    total = Verdict()
    try:
        for verdict in crash_loop(storm, server, SEED, kills, durable):
            total.add(verdict)
            assert total.lost == total.ahead == total.forgotten == 0, "seed %d: %s" % (SEED, total)
    finally:
        storm.end()
    things.wait_delivered()
    total.events, total.duplicates, total.inversions = graph.journal.events, graph.journal.duplicates, graph.journal.inversions
    total.disturbed = sum(len(writer.disturbed) for writer in storm.writers)
    total.restarts = len(server.crashes())
    print("seed %d: %s" % (SEED, total))
    assert differences(things, graph) == {}
    assert total.faultless(), "seed %d: %s %s" % (SEED, total, [writer.disturbed[:3] for writer in storm.writers])


def test_F01_killed_under_writers(things, server, graph):
    run(things, server, graph, 20)


def test_F32_killed_under_writers_who_do_not_wait_for_the_disk(things, server, graph):
    """What they lose nobody has seen, and what they write after that is not taken for older."""
    things.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    things.execute("SELECT pg_reload_conf()")
    run(things, server, graph, 8, durable=False, session="SET synchronous_commit = off")
