"""What the target refuses for good keeps nobody else, and is delivered when it has become right."""
import re
import time

import pytest

from graph import Graph
from oracle import TABLE, differences
from patience import until
from servers import Database


@pytest.fixture
def refusing(server):
    """A database of its own, and a graph that refuses what holds a certain word."""
    graph = Graph()
    database = Database(server, "refused")
    database.execute(TABLE)
    database.execute("CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s', max_attempts '2', retry_initial_delay '200ms',"
                     " retry_max_delay '500ms')" % graph.url)
    database.execute("CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'neo4j', password 'secret-of-the-graph')")
    database.execute("SELECT autosync.adopt_database(); SELECT autosync.add_sync('things', 'graph')")
    database.execute('ALTER DATABASE "refused" SET autosync.log_errors = off')
    database.wait_delivered()
    yield database, graph
    graph.stop()
    database.connection.close()
    with server.connect("postgres").cursor() as cursor:
        cursor.execute("DROP DATABASE refused WITH (FORCE)")


def delivered(graph, rows):
    """Seconds until so many rows are there."""
    began = time.monotonic()
    until(lambda: len(graph.rows) >= rows, "not all that is good has arrived: %d" % len(graph.rows), 180)
    return time.monotonic() - began


def test_F23_every_hundredth_event_is_poison(refusing):
    database, graph = refusing
    rows = 20_000
    insert = "INSERT INTO things SELECT i, 1, CASE WHEN %s AND i %% 100 = 0 THEN 'poison' END FROM generate_series(%s, %s) AS i"
    database.execute(insert, False, 1, rows)
    clean = delivered(graph, rows)
    graph.refusing = re.compile("poison")
    requests = graph.requests
    database.execute(insert, True, rows + 1, 2 * rows)
    mixed = delivered(graph, 2 * rows - rows // 100)
    until(lambda: database.value("SELECT failed FROM autosync.stat_targets") == rows // 100, "the dead letters are counted")
    print("%d rows in %.2f s, with poison in %.2f s and %d requests" % (rows, clean, mixed, graph.requests - requests))
    assert database.value("SELECT count(*) FROM autosync.failed_events WHERE entity_id::int % 100 <> 0") == 0
    # An entity is held up by itself alone, and by nothing once it is right.
    database.execute("UPDATE things SET seq = 2, pad = NULL WHERE id > %s", rows)
    until(lambda: differences(database, graph) == {}, "all is right by now", 180)
    assert graph.journal.inversions == 0
    until(lambda: database.value("SELECT failed FROM autosync.stat_targets") == 0, "it is noted that they have arrived")


def test_F24_dead_letters_are_tried_again(refusing):
    """Each as its row is now: none overwrites a newer state, and none is left."""
    database, graph = refusing
    graph.refusing = re.compile("poison")
    letters = 1_200
    database.execute("INSERT INTO things SELECT i, 1, 'poison' FROM generate_series(1, %s) AS i", letters)
    until(lambda: database.value("SELECT failed FROM autosync.stat_targets") == letters, "all are refused", 120)
    database.execute("UPDATE things SET seq = 2, pad = NULL WHERE id <= %s", letters // 3)
    database.execute("DELETE FROM things WHERE id > %s", letters - 100)
    until(lambda: sum(1 for number in graph.held().values() if number == 2) == letters // 3, "what is right has arrived")
    graph.refusing = re.compile("(?!)")
    database.execute("SELECT autosync.retry('graph')")
    until(lambda: differences(database, graph) == {}, "the newest state of all")
    assert graph.journal.inversions == 0
    until(lambda: database.value("SELECT count(*) FROM autosync.failed_events") == 0, "it is noted that they have arrived")
