"""What the options of a sync do where a real target is needed, or a session that listens."""
import json
import select
import time

import psycopg2.extensions
import pytest


class Listener:
    """A session that hears what is told on the channel autosync."""

    def __init__(self, database):
        self.connection = database.connect()
        self.connection.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        with self.connection.cursor() as cursor:
            cursor.execute("LISTEN autosync")

    def heard(self, wanted, timeout=60):
        """The notifications that came, once there are as many; they are told once."""
        deadline = time.monotonic() + timeout
        while len(self.connection.notifies) < wanted:
            assert time.monotonic() < deadline, "notifications: %s" % self.connection.notifies
            select.select([self.connection], [], [], 0.2)
            self.connection.poll()
        heard = [json.loads(notify.payload) for notify in self.connection.notifies]
        self.connection.notifies.clear()
        return heard


@pytest.fixture(scope="module")
def options(database, graph):
    """Two kinds of targets."""
    database.add_graph(graph)
    database.execute("ALTER SERVER graph OPTIONS (ADD max_attempts '1')")
    database.execute("CREATE SERVER mirror FOREIGN DATA WRAPPER autosync_test OPTIONS (max_attempts '1', fail 'bad')")
    return database


@pytest.fixture(scope="module")
def listener(options):
    listener = Listener(options)
    yield listener
    listener.connection.close()


def test_dead_letters_are_told_by_key(options, listener, cypher):
    options.execute("CREATE TABLE told (id int PRIMARY KEY, v text); CREATE TABLE untold (LIKE told INCLUDING ALL)")
    # What Neo4j refuses is what a constraint of its own forbids.
    cypher("CREATE CONSTRAINT one_each FOR (n:Told) REQUIRE n.v IS UNIQUE")
    for table, wish in (("told", {"notify": True}), ("untold", {})):
        options.execute("SELECT autosync.add_sync(%s, 'graph', %s), autosync.add_sync(%s, 'mirror', %s)",
                        table, json.dumps({"label": "Told", **wish}), table, json.dumps(wish))
    options.execute("INSERT INTO untold VALUES (1, 'bad')")
    assert not options.value("SELECT autosync.wait_delivered('mirror')")
    options.wait_delivered("graph")
    options.execute("INSERT INTO told VALUES (7, 'bad')")
    heard = {event["target"]: event for event in listener.heard(2)}
    for target in ("graph", "mirror"):
        event_id = options.value("SELECT event_id FROM autosync.failed_events WHERE target = %s AND source = 'public.told'", target)
        assert heard[target] == {"event": "event_failed", "target": target, "source": "public.told", "key": "7", "event_id": event_id}


def test_a_storm_of_failures_is_no_storm_of_notifications(options, listener):
    options.execute("""CREATE TABLE storm (id int PRIMARY KEY, v text); SELECT autosync.add_sync('storm', 'mirror', '{"notify": true}', backfill => false);
        INSERT INTO storm SELECT i, 'bad' FROM generate_series(1, 2000) AS i""")
    one_by_one, summed_up = 0, 0
    rounds = 0
    while one_by_one + summed_up < 2_000:
        for event in listener.heard(1):
            assert event["event"] == "event_failed" and event["source"] == "public.storm"
            if event["key"] is None:
                summed_up += event["more"]
                rounds += 1
            else:
                one_by_one += 1
    assert one_by_one + summed_up == 2_000 == options.value("SELECT count(*) FROM autosync.failed_events WHERE source = 'public.storm'")
    assert one_by_one <= 500 and rounds <= 5
    options.execute("SELECT autosync.discard(); TRUNCATE told, untold, storm")
    options.wait_delivered("mirror")
    options.wait_delivered("graph")


def test_a_target_that_cannot_be_reached_is_told_once_and_again_when_it_is_back(options, listener, graph):
    kill = "SELECT pg_terminate_backend(pid) FROM autosync.stat_workers WHERE datname = current_database()"
    options.execute("ALTER SERVER graph OPTIONS (SET url 'http://127.0.0.1:1')")
    options.execute("INSERT INTO told VALUES (1, 'good')")
    assert listener.heard(1) == [{"event": "target_unreachable", "target": "graph", "state": "unreachable"}]
    options.execute(kill)  # another worker knows what was told
    options.execute("INSERT INTO told VALUES (2, 'better')")
    assert not options.value("SELECT autosync.wait_delivered('graph', '1s')")
    options.execute("ALTER SERVER graph OPTIONS (SET url '%s')" % graph.url)
    assert listener.heard(1) == [{"event": "target_recovered", "target": "graph", "state": "active"}]
    options.wait_delivered("graph")


def test_the_row_s_own_version_is_shown_and_does_not_decide(options, cypher):
    options.execute("""CREATE TABLE versioned (id int PRIMARY KEY, v text, lock_version bigint);
        SELECT autosync.add_sync('versioned', 'graph', '{"version": "lock_version", "exclude": ["lock_version"]}');
        INSERT INTO versioned VALUES (1, 'first', 9)""")
    options.wait_delivered()
    options.execute("UPDATE versioned SET v = 'second', lock_version = 2")
    options.wait_delivered()
    assert options.execute("SELECT operation, source_version FROM autosync.event_log WHERE source = 'public.versioned' ORDER BY created_at") == [("insert", 9), ("update", 2)]
    assert options.value("SELECT last_synced_version FROM autosync.sync_status WHERE source = 'public.versioned'") == 2
    assert cypher("MATCH (n:versioned) RETURN n.v, n._v > 1000000, n.lock_version") == [["second", True, None]]


def test_what_a_transform_gives_is_the_properties(options, cypher):
    options.execute("""CREATE TABLE parents (id int PRIMARY KEY, name text);
        CREATE TABLE made (id int PRIMARY KEY, parent_id int REFERENCES parents, secret text);
        CREATE FUNCTION made_up(m made) RETURNS jsonb LANGUAGE sql RETURN CASE WHEN m.secret <> 'none' THEN jsonb_build_object('text', m.secret || '!', 'whole', 9007199254740993,
            'part', 1.5, 'yes', true, 'nothing', NULL, 'list', '[1, 2]'::jsonb, 'names', '["a", "b"]'::jsonb, 'empty', '[]'::jsonb, 'mixed', '[1, "a"]'::jsonb, 'inner', '{"a": [1]}'::jsonb) END;
        SELECT autosync.add_sync('parents', 'graph'), autosync.add_sync('made', 'graph', '{"transform": "made_up", "label": "Made"}');
        INSERT INTO parents VALUES (1, 'p'); INSERT INTO made VALUES (1, 1, 'a'), (2, 1, 'none')""")
    options.wait_delivered()
    found = cypher("MATCH (m:Made)-[:PARENT]->(p) RETURN properties(m), p.name")
    assert len(found) == 1 and found[0][1] == "p"
    assert {name: value for name, value in found[0][0].items() if not name.startswith("_")} == {
        "text": "a!", "whole": 9007199254740993, "part": 1.5, "yes": True, "list": [1, 2], "names": ["a", "b"], "empty": [], "mixed": '[1, "a"]', "inner": '{"a": [1]}'}
    options.execute("UPDATE made SET secret = CASE id WHEN 1 THEN 'none' ELSE 'b' END")
    options.wait_delivered()
    assert cypher("MATCH (m:Made) RETURN m.text") == [["b!"]]
    assert options.execute("SELECT * FROM autosync.diff('made', '2', 'graph')") == []
    options.execute("CREATE OR REPLACE FUNCTION made_up(m made) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('_v', 1)")
    options.execute("UPDATE made SET secret = 'c' WHERE id = 2")
    assert not options.value("SELECT autosync.wait_delivered('graph')")
    assert '"_v"' in options.value("SELECT last_error FROM autosync.failed_events WHERE source = 'public.made'")
    options.execute("SELECT autosync.discard()")


def nodes(cypher, label):
    """By their keys: properties, without those of autosync's own."""
    return {key: {name: value for name, value in properties.items() if not name.startswith("_")} for key, properties in cypher("MATCH (n:`%s`) RETURN n._key, properties(n)" % label)}


def test_which_rows_and_which_columns_of_them_are_in_the_graph(options, cypher):
    options.execute("""CREATE TABLE rows (id int PRIMARY KEY, code text NOT NULL UNIQUE, v text, email text, hidden text, gone timestamptz, legal bool NOT NULL DEFAULT false);
        SELECT autosync.add_sync('rows', 'graph', '{"key": ["code"], "exclude": ["hidden"], "filter": "v <> ''draft''", "soft_delete": "gone", "on_delete": "NOT legal",
            "mask": {"email": "hash"}, "entity_type": "thing", "operations": ["insert", "update", "delete"]}');
        INSERT INTO rows VALUES (1, 'a', 'one', 'a@example.com', 'x'), (2, 'b', 'draft', NULL, NULL), (3, 'c', 'three', NULL, NULL), (4, 'd', 'four', NULL, NULL)""")
    options.execute("UPDATE rows SET legal = true WHERE id = 4")
    options.wait_delivered()
    found = nodes(cypher, "rows")
    assert found.keys() == {"a", "c", "d"}
    assert found["a"].keys() == {"id", "code", "v", "email", "legal"} and len(found["a"]["email"]) == 64
    assert options.value("SELECT entity_type FROM autosync.event_log WHERE source = 'public.rows' LIMIT 1") == "thing"
    options.execute("UPDATE rows SET v = 'draft' WHERE id = 1; UPDATE rows SET v = 'two' WHERE id = 2; UPDATE rows SET gone = now() WHERE id = 3; DELETE FROM rows WHERE id = 4")
    options.wait_delivered()
    assert nodes(cypher, "rows").keys() == {"b", "d"}, "filtered out, soft deleted, and one that is kept by law"
    options.execute("""SELECT autosync.alter_sync('rows', 'graph', '{"on_filtered": "keep", "exclude": null, "columns": ["code", "v"], "mask": null}')""")
    options.wait_delivered()
    options.execute("UPDATE rows SET v = 'draft' WHERE id = 2; TRUNCATE rows")
    options.wait_delivered()
    found = nodes(cypher, "rows")
    assert found.keys() == {"b", "d"} and found["b"] == {"code": "b", "v": "two"}, "TRUNCATE is not among the operations"


def test_how_and_when_rows_get_into_the_graph(options, cypher, listener):
    options.execute("""CREATE TABLE people (id int PRIMARY KEY, name text); CREATE TABLE pets (id int PRIMARY KEY, person int, name text);
        CREATE FUNCTION person(p people) RETURNS jsonb STABLE LANGUAGE sql RETURN jsonb_build_object('pets', (SELECT count(*) FROM public.pets WHERE person = p.id));
        SELECT autosync.add_sync('people', 'graph', '{"transform": "person", "refresh_on": {"pets": "person"}, "debounce": "50ms", "lane": "slow", "batch_size": 1,
            "max_in_flight": 1, "rate_limit": 20, "request_timeout": "5s", "max_lag": "100ms"}');
        INSERT INTO people SELECT i, 'p' FROM generate_series(1, 30) AS i""")
    options.wait_delivered()
    assert len(nodes(cypher, "people")) == 30
    assert options.value("SELECT max(completed_at) - min(published_at) > interval '300 ms' FROM autosync.event_log WHERE source = 'public.people'"), "20 at once, then 20 per second"
    options.execute("SELECT autosync.pause('graph', 'slow')")
    options.execute("INSERT INTO pets VALUES (1, 3, 'Rex'); INSERT INTO told VALUES (50, 'beside')")
    deadline = time.monotonic() + 60
    while not cypher("MATCH (n:Told {id: 50}) RETURN n.id"):
        assert time.monotonic() < deadline
    assert nodes(cypher, "people")["3"] == {"pets": 0}
    while "lag_exceeded" not in [event["event"] for event in listener.heard(1)]:
        pass
    options.execute("SELECT autosync.resume('graph', 'slow')")
    options.wait_delivered()
    assert nodes(cypher, "people")["3"] == {"pets": 1}
    options.execute("""SELECT autosync.alter_sync('people', 'graph', '{"enabled": false}')""")
    options.wait_delivered()
    options.execute("DELETE FROM pets; DELETE FROM people WHERE id = 4")
    options.wait_delivered()
    assert nodes(cypher, "people")["3"] == {"pets": 1} and "4" in nodes(cypher, "people")
    options.execute("""SELECT autosync.alter_sync('people', 'graph', '{"enabled": null, "event_ttl": "1ms", "debounce": null}'), autosync.pause('graph')""")
    options.execute("DELETE FROM people WHERE id = 5")
    deadline = time.monotonic() + 60
    while options.value("SELECT count(*) FROM autosync.event_log WHERE source = 'public.people' AND status = 'EXPIRED'") == 0:
        assert time.monotonic() < deadline
    options.execute("SELECT autosync.resume('graph')")


def test_a_password_that_is_corrected_takes_effect_at_once(options, cypher, graph):
    """Also where the target is not to be asked again for long: whoever alters the mapping, or the server, has it asked."""
    options.execute("""CREATE SERVER other FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s', retry_initial_delay '1h', retry_max_delay '1h');
        CREATE USER MAPPING FOR PUBLIC SERVER other OPTIONS (username '%s', password 'wrong-password')""" % (graph.url, graph.user))
    options.execute("""CREATE TABLE locked (id int PRIMARY KEY); INSERT INTO locked VALUES (1); SELECT autosync.add_sync('locked', 'other')""")

    def until(state):
        deadline = time.monotonic() + 60
        while options.value("SELECT state FROM autosync.stat_targets WHERE target = 'other'") != state:
            assert time.monotonic() < deadline, options.execute("SELECT state, last_error FROM autosync.stat_targets WHERE target = 'other'")
            time.sleep(0.02)

    worker = "SELECT pid FROM autosync.stat_workers WHERE datname = current_database()"
    until("unauthorized")
    pid = options.value(worker)
    options.execute("ALTER USER MAPPING FOR PUBLIC SERVER other OPTIONS (SET password '%s')" % graph.password)
    options.wait_delivered("other")
    assert cypher("MATCH (n:locked) RETURN n.id") == [[1]]
    options.execute("ALTER SERVER other OPTIONS (SET url 'http://127.0.0.1:1'); INSERT INTO locked VALUES (2)")
    until("unreachable")
    options.execute("ALTER SERVER other OPTIONS (SET url '%s')" % graph.url)
    options.wait_delivered("other")
    # A mapping of the owner's own comes before that for PUBLIC.
    options.execute("CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (username '%s', password 'another-wrong-one'); INSERT INTO locked VALUES (3)" % graph.user)
    until("unauthorized")
    options.execute("DROP USER MAPPING FOR CURRENT_USER SERVER other")
    options.wait_delivered("other")
    assert cypher("MATCH (n:locked) RETURN n.id ORDER BY n.id") == [[1], [2], [3]] and options.value(worker) == pid
    options.execute("DROP SERVER other CASCADE")
