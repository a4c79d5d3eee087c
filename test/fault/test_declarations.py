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


def new_worker(database):
    """One that begins knows all settings; its pid."""
    workers = "SELECT pid FROM autosync.stat_workers WHERE datname = current_database()"
    before = database.execute(workers)
    database.execute("SELECT pg_terminate_backend(pid) FROM (%s) AS worker" % workers)
    until(lambda: database.execute(workers) not in ([], before), "no worker comes")
    database.wait_delivered()
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
