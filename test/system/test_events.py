"""Events and what becomes of them: those that a target does not get in time, those that have arrived."""
import time

import pytest


@pytest.fixture(scope="module")
def letters(database, graph):
    database.execute("CREATE TABLE letters (id int PRIMARY KEY, text text)")
    return database


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def states(database, target):
    return database.execute("SELECT entity_id, status FROM autosync.event_log WHERE target = %s ORDER BY entity_id, event_id", target)


def test_a_target_away_for_longer_than_the_ttl_loses_exactly_what_is_older(letters, graph):
    letters.add_graph(graph)
    letters.execute("ALTER SERVER graph OPTIONS (SET url 'http://127.0.0.1:9', ADD event_ttl '2500ms')")  # nobody is there
    letters.execute("SELECT autosync.add_sync('letters', 'graph', backfill => false)")
    letters.execute("INSERT INTO letters VALUES (1, 'old'), (2, 'old')")
    wait_until(lambda: letters.value("SELECT clock_timestamp() - min(created_at) > '900 ms' FROM autosync.event_log"))
    letters.execute("UPDATE letters SET text = 'new' WHERE id = 2")
    letters.execute("INSERT INTO letters VALUES (3, 'new')")
    wait_until(lambda: ("1", "EXPIRED") in states(letters, "graph"))
    letters.execute("ALTER SERVER graph OPTIONS (SET event_ttl '1h')")  # heard of at once: nothing else expires
    assert states(letters, "graph") == [("1", "EXPIRED"), ("2", "PENDING"), ("3", "PENDING")]
    assert letters.value("SELECT detail FROM autosync.health() WHERE \"check\" = 'expired'").startswith("1 changes")
    letters.execute("ALTER SERVER graph OPTIONS (SET url '%s')" % graph.url)
    letters.wait_delivered()
    assert graph.rows("MATCH (l:letters) RETURN l.id, l.text ORDER BY l.id") == [[2, "new"], [3, "new"]]
    assert letters.value("SELECT expired FROM autosync.stat_targets WHERE target = 'graph'") == 1
    letters.execute("SELECT autosync.backfill('letters', 'graph')")  # the remedy
    letters.wait_delivered()
    assert graph.rows("MATCH (l:letters) RETURN l.id, l.text ORDER BY l.id") == [[1, "old"], [2, "new"], [3, "new"]]
    assert ("1", "EXPIRED") not in states(letters, "graph")
