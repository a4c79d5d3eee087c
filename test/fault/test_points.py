"""Each place of ours fails in each way, once or several times in a row, while rows change: nothing is lost and nothing goes back in time."""
import psycopg2
import pytest

from crashes import back
from oracle import Stamper, differences, forgotten
from patience import until

PLACES = ("at_start", "after_read", "before_send", "after_send", "before_settle", "in_settle", "after_settle")
OF_THE_LOG = ("before_rotate", "in_rotate")


@pytest.fixture
def writer(things, server, graph):
    server.faults()
    writer = Stamper(things, 1, 1, pause=0.005)
    writer.start()
    yield writer
    writer.stopping.set()
    writer.join()
    back(things)
    server.faults()


def end(things, graph, writer):
    writer.stopping.set()
    writer.join()
    back(things)
    things.wait_delivered()
    assert differences(things, graph) == {}
    assert graph.journal.inversions == 0
    assert forgotten(things, [writer]) == {}
    assert writer.disturbed == []


@pytest.mark.parametrize("action", ("error", "exit", "segv", "sleep"))
@pytest.mark.parametrize("place", PLACES)
def test_F02_the_worker_fails_anywhere(things, server, graph, writer, place, action):
    most = 2 if action == "error" and place == "after_read" else 1  # with each further one the worker rests for longer
    server.faults("%s:%s:%d" % (place, action, most))
    if place == "at_start":
        things.execute("SELECT pg_terminate_backend(pid) FROM autosync.stat_workers WHERE pid IS NOT NULL")
    until(lambda: server.failed(place) >= most, "%s has not failed" % place)
    end(things, graph, writer)


@pytest.mark.parametrize("action", ("error", "exit", "segv"))
def test_F01_a_writer_fails_while_it_notes_what_it_has_changed(things, server, graph, writer, action):
    """The one place where a session of a user pays: its transaction fails as a whole, and nothing of it was captured."""
    most = 5 if action == "error" else 1
    server.faults("in_flush:%s:%d" % (action, most))
    until(lambda: server.failed("in_flush") >= most, "no writer has failed")
    writer.stopping.set()
    writer.join()
    writer.disturbed = [error for error in writer.disturbed if "as a test has asked for" not in error]
    end(things, graph, writer)


@pytest.fixture(scope="module")
def wide(things):
    """Keys so long that a few thousand fill a log."""
    things.execute("CREATE TABLE wide (id text PRIMARY KEY, seq bigint NOT NULL)")
    things.execute("SELECT autosync.add_sync('wide', 'graph')")
    things.wait_delivered()
    return things


@pytest.mark.parametrize("action", ("error", "exit", "segv"))
@pytest.mark.parametrize("place", OF_THE_LOG)
def test_F01_the_log_is_emptied_and_that_fails(wide, server, graph, writer, place, action):
    server.faults("%s:%s:1" % (place, action))

    def emptied():
        try:
            wide.execute("INSERT INTO wide SELECT repeat('x', 1500) || i, 1 FROM generate_series(1, 6000) AS i ON CONFLICT (id) DO UPDATE SET seq = wide.seq + 1")
            wide.wait_delivered()
        except psycopg2.Error:
            back(wide)
        return server.failed(place)
    until(emptied, "no log was emptied", 120)
    end(wide, graph, writer)
    assert differences(wide, graph, "wide") == {}
