"""Events and what becomes of them: those that a target does not get in time, those that have arrived."""
import pytest

from patience import until


@pytest.fixture(scope="module")
def letters(database, graph):
    database.execute("CREATE TABLE letters (id int PRIMARY KEY, text text)")
    return database


def states(database, target):
    return database.execute("SELECT entity_id, status FROM autosync.event_log WHERE target = %s ORDER BY entity_id, event_id", target)


def test_a_target_away_for_longer_than_the_ttl_loses_exactly_what_is_older(letters, graph):
    letters.add_graph(graph)
    letters.execute("ALTER SERVER graph OPTIONS (SET url 'http://127.0.0.1:9', ADD event_ttl '1h')")  # nobody is there
    letters.execute("SELECT autosync.add_sync('letters', 'graph', backfill => false)")
    letters.execute("INSERT INTO letters VALUES (1, 'old'), (2, 'old')")
    until(lambda: letters.value("SELECT clock_timestamp() - min(created_at) > '6 s' FROM autosync.event_log"))
    letters.execute("UPDATE letters SET text = 'new' WHERE id = 2")
    letters.execute("INSERT INTO letters VALUES (3, 'new')")
    letters.execute("ALTER SERVER graph OPTIONS (SET event_ttl '6s')")
    until(lambda: ("1", "EXPIRED") in states(letters, "graph"))
    letters.execute("ALTER SERVER graph OPTIONS (SET event_ttl '1h')")  # heard of at once: nothing else expires
    assert states(letters, "graph") == [("1", "EXPIRED"), ("2", "EXPIRED"), ("2", "PENDING"), ("3", "PENDING")]
    assert letters.value("SELECT detail FROM autosync.health() WHERE \"check\" = 'expired'").startswith("1 changes")
    letters.execute("ALTER SERVER graph OPTIONS (SET url '%s')" % graph.url)
    letters.wait_delivered()
    assert graph.rows("MATCH (l:letters) RETURN l.id, l.text ORDER BY l.id") == [[2, "new"], [3, "new"]]
    assert letters.value("SELECT expired FROM autosync.stat_targets WHERE target = 'graph'") == 1
    letters.execute("SELECT autosync.backfill('letters', 'graph')")  # the remedy
    letters.wait_delivered()
    assert graph.rows("MATCH (l:letters) RETURN l.id, l.text ORDER BY l.id") == [[1, "old"], [2, "new"], [3, "new"]]
    assert letters.value("SELECT status FROM autosync.health() WHERE \"check\" = 'expired'") == "ok"


def test_delivered_events_stay_readable(letters, graph):
    """What they were, when they were captured, sent and confirmed; one that was refused and then delivered among them."""
    letters.execute("CREATE TABLE tags (letter int REFERENCES letters, tag int REFERENCES letters, PRIMARY KEY (letter, tag))")
    letters.execute("SELECT autosync.add_sync('tags', 'graph', backfill => false)")
    letters.execute("SELECT autosync.alter_sync('letters', 'graph', '{\"entity_type\": \"note\"}')")
    letters.wait_delivered()
    since = letters.value("SELECT clock_timestamp()")
    letters.execute("SET autosync.correlation_id = 'request 7'")
    letters.execute("INSERT INTO letters VALUES (10, 'a'); UPDATE letters SET text = 'b' WHERE id = 10; INSERT INTO letters VALUES (11, 'c')")  # one transaction
    letters.execute("UPDATE letters SET text = 'd' WHERE id = 11")
    letters.execute("INSERT INTO tags VALUES (10, 11)")
    letters.execute("DELETE FROM tags")
    letters.execute("RESET autosync.correlation_id")
    letters.execute("DELETE FROM letters WHERE id = 11")
    letters.execute("TRUNCATE letters CASCADE")
    letters.wait_delivered()
    log = letters.execute("SELECT event_type, entity_type, entity_id, operation, changed, correlation_id FROM autosync.event_log WHERE created_at > %s AND status = 'COMPLETED'"
                          " ORDER BY event_id", since)
    assert log[:6] == [
        ("NOTE_CREATED", "note", "10", "insert", None, "request 7"),
        ("NOTE_CREATED", "note", "11", "insert", None, "request 7"),
        ("NOTE_UPDATED", "note", "11", "update", ["text"], "request 7"),
        ("RELATIONSHIP_CREATED", "tags", '{"letter": 10, "tag": 11}', "insert", None, "request 7"),
        ("RELATIONSHIP_DELETED", "tags", '{"letter": 10, "tag": 11}', "delete", None, "request 7"),
        ("NOTE_DELETED", "note", "11", "delete", None, None)]
    assert sorted(row[0] for row in log[6:]) == ["NOTE_TRUNCATED", "RELATIONSHIP_DELETED"]
    assert letters.value("SELECT bool_and(created_at <= published_at AND published_at <= completed_at AND source_version > 0) FROM autosync.event_log"
                         " WHERE created_at > %s AND operation <> 'truncate'", since)
    assert letters.value("SELECT count(*) FROM autosync.event_log WHERE status NOT IN ('COMPLETED', 'EXPIRED')") == 0


def test_what_was_refused_is_over_when_a_newer_state_has_arrived(letters):
    letters.execute("SELECT autosync.add_target('near', 'test://', '{\"fail\": \"bad\", \"max_attempts\": \"1\"}')")
    letters.execute("SELECT autosync.add_sync('letters', 'near', backfill => false)")
    letters.execute("INSERT INTO letters VALUES (20, 'bad')")
    until(lambda: states(letters, "near") == [("20", "FAILED")])
    letters.execute("UPDATE letters SET text = 'good' WHERE id = 20")
    until(lambda: states(letters, "near") == [("20", "COMPLETED"), ("20", "COMPLETED")])
    log = letters.execute("SELECT event_type, attempts, last_error FROM autosync.event_log WHERE target = 'near' ORDER BY event_id")
    assert [row[:2] for row in log] == [("LETTERS_CREATED", 1), ("LETTERS_UPDATED", 0)] and "fail" in log[0][2]


def test_the_state_of_one_entity(letters):
    status = "SELECT last_synced_version > 0, last_synced_at IS NOT NULL, has_pending_changes, has_conflict FROM autosync.sync_status WHERE source = 'public.letters' AND key = '30' AND target = %s"
    letters.execute("SELECT autosync.pause('near')")
    letters.execute("INSERT INTO letters VALUES (30, 'new')")
    letters.wait_delivered("graph")
    assert letters.execute(status, "graph") == [(True, True, False, False)]
    assert letters.execute(status, "near") == [(None, False, True, False)]
    letters.execute("SELECT autosync.resume('near')")
    letters.wait_delivered("near")
    assert letters.execute(status, "near") == [(True, True, False, False)]
    letters.execute("UPDATE letters SET text = 'bad' WHERE id = 30")
    until(lambda: ("30", "FAILED") in states(letters, "near"))
    assert letters.execute(status, "near") == [(True, True, False, False)]
    letters.execute("UPDATE letters SET text = 'good' WHERE id = 30")
    until(lambda: ("30", "FAILED") not in states(letters, "near"))
    for target in ("graph", "near"):
        letters.wait_delivered(target)
    for question in ("SELECT target, source, count(*), min(created_at) FROM autosync.event_log WHERE status = 'PENDING' GROUP BY 1, 2",
                     "SELECT entity_id, last_error FROM autosync.event_log WHERE status = 'FAILED' ORDER BY updated_at DESC"):
        assert letters.execute(question) == []
    average = letters.execute("SELECT event_type, avg(completed_at - created_at) > '0' FROM autosync.event_log WHERE status = 'COMPLETED' AND target = 'near' GROUP BY 1 ORDER BY 1")
    assert average == [("LETTERS_CREATED", True), ("LETTERS_UPDATED", True)]


def test_history_survives_a_crash_with_the_cursor_and_goes_with_time(letters, graph, server):
    """Written down together, each event is there once."""
    servers = [name for name, in letters.execute("SELECT srvname FROM pg_foreign_server")]  # of the tests before, if they were run
    if "graph" not in servers:
        letters.add_graph(graph)
    if "near" not in servers:
        letters.execute("SELECT autosync.add_target('near', 'test://')")
    for target in ("graph", "near"):
        letters.execute("SELECT autosync.add_sync('letters', %s, backfill => false, if_not_exists => true)", target)
    letters.wait_delivered("graph")
    for number in range(100, 200):
        letters.execute("INSERT INTO letters VALUES (%s, 'storm')", number)
    server.kill()
    server.start()
    letters.connection = None
    letters.wait_delivered("near")
    letters.wait_delivered("graph")
    for target in ("near", "graph"):
        assert letters.execute("SELECT count(*), count(DISTINCT event_id) FROM autosync.event_log WHERE target = %s AND status = 'COMPLETED'"
                               " AND entity_id ~ '^1[0-9][0-9]$' AND operation = 'insert'", target) == [(100, 100)]
    letters.execute("ALTER SYSTEM SET autosync.history_retention = 0")
    letters.execute("SELECT pg_reload_conf()")
    try:
        until(lambda: letters.value("SELECT sum(pg_relation_size(c)) FROM unnest('{autosync.history_0,autosync.history_1,autosync.history_2}'::regclass[]) AS c") == 0)
        assert letters.value("SELECT count(*) FROM autosync.event_log WHERE status IN ('COMPLETED', 'EXPIRED')") == 0
    finally:
        letters.execute("ALTER SYSTEM RESET autosync.history_retention")
        letters.execute("SELECT pg_reload_conf()")
