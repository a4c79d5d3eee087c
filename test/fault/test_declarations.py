"""What is declared or paused is known before anything is sent that changed with it, or after it, however slow the processes are."""
import itertools
import os
import signal
import time

import pytest

from graph import Graph
from patience import until


@pytest.fixture
def slow(things, server):
    """What is asked of it takes a second at one place."""
    def ask(place):
        server.faults("%s:sleep:1" % place)
        until(lambda: things.value("SHOW autosync.faults").startswith(place), "the setting has not been heard of")
    yield ask
    things.execute("SELECT autosync.resume('graph')")
    server.faults()
    things.wait_delivered()


def new_worker(database, target="graph"):
    """One that begins knows all settings; its pid."""
    workers = "SELECT pid FROM autosync.stat_workers WHERE datname = current_database()"
    before = database.execute(workers)
    database.execute("SELECT pg_terminate_backend(pid) FROM (%s) AS worker" % workers)
    until(lambda: database.execute(workers) not in ([], before), "no worker comes")
    database.wait_delivered(target)
    return database.value(workers)


def test_what_was_read_before_a_pause_is_not_sent_after_it(things, server, graph, slow):
    for number in itertools.count(1):
        slow("after_read")
        worker = new_worker(things)
        things.execute("INSERT INTO things VALUES (%s, 1)", number)
        until(lambda: server.failed("after_read") == 1, "nothing was read")
        os.kill(worker, signal.SIGSTOP)
        if time.time() - (server.folder / "after_read").stat().st_mtime < 0.8:
            break
        os.kill(worker, signal.SIGCONT)  # this process was slower: it may have been sent by now
        things.wait_delivered()
        assert number < 10, "it is never in time"
    try:
        things.execute("SELECT autosync.pause('graph')")
        things.execute("INSERT INTO things VALUES (%s, 2)", number + 1)
    finally:
        os.kill(worker, signal.SIGCONT)
    sent = len(graph.rows)
    time.sleep(1.5)  # what was read would have been sent by then
    assert len(graph.rows) == sent == number - 1
    things.execute("SELECT autosync.resume('graph')")
    things.wait_delivered()
    assert len(graph.rows) == number + 1


def test_a_row_goes_where_its_own_transaction_has_declared_it_to_go(things, server, graph, slow):
    """Commits can be seen before others are told what they declared."""
    other = Graph()
    requests = graph.requests
    slow("after_declaring")
    began = time.monotonic()
    things.execute("BEGIN; ALTER SERVER graph OPTIONS (SET url '%s'); INSERT INTO things VALUES (100, 3); COMMIT" % other.url)
    assert time.monotonic() - began > 0.9, "it was not slow"
    things.wait_delivered()
    assert len(other.rows) == 1 and graph.requests == requests
    things.execute("ALTER SERVER graph OPTIONS (SET url '%s')" % graph.url)
    other.stop()


@pytest.mark.parametrize("target", ("graph", "mirror"))
def test_what_is_in_small_batches_stops_with_a_pause(things, server, graph, target):
    """A sync with a batch_size of its own: what was read at once is sent in many requests."""
    if target == "mirror":
        things.execute("SELECT autosync.add_target('mirror', 'test://')")
    things.execute("CREATE TABLE many_%s (id int PRIMARY KEY, seq bigint NOT NULL)" % target)
    things.execute("SELECT autosync.add_sync('many_%s', '%s', '{\"batch_size\": 1}', backfill => false)" % (target, target))
    before = len(graph.rows)

    def sent():
        return len(graph.rows) - before if target == "graph" else things.value("SELECT count(*) FROM autosync.sent WHERE target = 'mirror'")

    server.faults("after_send:sleep:1000")
    new_worker(things, target)
    things.execute("INSERT INTO many_%s SELECT i, 1 FROM generate_series(1, 100) AS i" % target)
    until(lambda: sent() >= 2, "nothing is sent")
    things.execute("SELECT autosync.pause('%s')" % target)
    until(lambda: things.value("SELECT state FROM autosync.stat_targets WHERE target = '%s'" % target) == "paused", "it has not heard of it")
    time.sleep(5)  # what was begun by then has ended
    stopped = sent()
    time.sleep(2.5)
    assert sent() == stopped < 50
    server.faults()
    things.execute("SELECT autosync.resume('%s')" % target)
    things.wait_delivered(target)
    assert sent() == 100


def test_what_was_read_by_an_extension_is_not_sent_by_the_next_one(things, server):
    """Both have a target of that name."""
    made = "CREATE EXTENSION autosync; SELECT autosync.add_target('mirror', 'test://')"
    things.execute("DROP EXTENSION autosync CASCADE; " + made)
    things.execute("CREATE TABLE early (id int PRIMARY KEY); SELECT autosync.add_sync('early', 'mirror', '{\"batch_size\": 1}', backfill => false)")
    things.wait_delivered("mirror")
    server.faults("after_send:sleep:1000")
    new_worker(things, "mirror")
    things.execute("INSERT INTO early SELECT generate_series(1, 100)")
    until(lambda: server.failed("after_send") >= 2, "nothing is sent")
    things.execute("DROP EXTENSION autosync CASCADE; " + made)
    time.sleep(3)  # a second is enough for what comes next
    server.faults()
    assert things.value("SELECT count(*) FROM autosync.sent") == 0
