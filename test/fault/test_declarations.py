"""What is declared or paused is known before anything is sent that changed with it, or after it, however slow the processes are."""
import functools
import time

import pytest

import patience
from graph import Graph

until = functools.partial(patience.until, timeout=20)


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


def test_what_was_read_before_a_pause_is_not_sent_after_it(things, server, graph, slow):
    slow("after_read")
    things.execute("INSERT INTO things VALUES (1, 1)")
    until(lambda: server.failed("after_read") == 1, "nothing was read")
    things.execute("SELECT autosync.pause('graph')")
    things.execute("INSERT INTO things VALUES (2, 2)")
    sent = len(graph.rows)
    time.sleep(1.5)  # what was read would have been sent by then
    assert len(graph.rows) == sent == 0
    things.execute("SELECT autosync.resume('graph')")
    things.wait_delivered()
    assert len(graph.rows) == 2


def test_a_row_goes_where_its_own_transaction_has_declared_it_to_go(things, server, graph, slow):
    """Commits can be seen before others are told what they declared."""
    other = Graph()
    requests = graph.requests
    slow("after_declaring")
    began = time.monotonic()
    things.execute("BEGIN; ALTER SERVER graph OPTIONS (SET url '%s'); INSERT INTO things VALUES (3, 3); COMMIT" % other.url)
    assert time.monotonic() - began > 0.9, "it was not slow"
    things.wait_delivered()
    assert len(other.rows) == 1 and graph.requests == requests
    things.execute("ALTER SERVER graph OPTIONS (SET url '%s')" % graph.url)
    other.stop()
