"""Copies of a database: dumps, a standby, a logical subscriber. A copy does not deliver until it is told to, and nothing is captured twice."""
import contextlib
import pathlib
import shutil
import time

import psycopg2
import pytest

from graph import Graph
from oracle import TABLE, differences
from patience import until
from servers import Database, preload, script


class Existing(Database):
    """A database that is there, of any server."""

    def __init__(self, server, name):  # pylint: disable=super-init-not-called
        self.server, self.name, self.connection = server, name, None


def run(*command):
    return script("postgres", "run", *map(str, command))


def admin(server, *statements):
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def original(server):
    """A database with a thousand rows in its graph."""
    server.start()
    graph = Graph()
    admin(server, "DROP DATABASE IF EXISTS copied WITH (FORCE)", "DROP DATABASE IF EXISTS copy WITH (FORCE)")
    database = Database(server, "copied")
    database.execute(TABLE)
    database.execute("INSERT INTO things SELECT i, i FROM generate_series(1, 1000) AS i")
    database.add_graph(graph)
    database.execute("SELECT autosync.add_sync('things', 'graph')")
    database.wait_delivered()
    database.graph = graph
    yield database
    server.start()
    for name in ("copy", "copied"):
        admin(server, "DROP DATABASE IF EXISTS %s WITH (FORCE)" % name)
    graph.stop()


FORMS = {"plain": "p", "custom": "c", "parallel": "d", "template": None}


@pytest.mark.parametrize("form", FORMS)
def test_F14_a_copy_delivers_when_it_is_adopted(original, server, form, tmp_path):
    graph = original.graph
    file = pathlib.Path(server.environment["PGHOST"]) / "dump"
    shutil.rmtree(file, ignore_errors=True)
    file.unlink(missing_ok=True)
    original.connection.close()
    if form == "template":
        admin(server, "CREATE DATABASE copy TEMPLATE copied")
    else:
        admin(server, "CREATE DATABASE copy")
        run("pg_dump", "-F", FORMS[form], *(["-j", "2"] if form == "parallel" else []), "-f", file, "copied")
        if form == "plain":
            run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "copy", "-f", file)
        else:
            run("pg_restore", "-e", "-j", "2", "-d", "copy", file)
    events = graph.journal.events
    copy = Existing(server, "copy")
    copy.execute("UPDATE things SET seq = seq + 5000 WHERE id <= 500; DELETE FROM things WHERE id > 900")
    assert copy.execute("SELECT source::text, target::text FROM autosync.syncs") == [("things", "graph")]
    time.sleep(1.5)
    assert graph.journal.events == events, "a copy has delivered"
    assert copy.value("SELECT state FROM autosync.stat_targets") == "not_adopted"
    original.execute("SELECT autosync.pause('graph')")
    copy.execute("SELECT autosync.adopt_database()")
    copy.wait_delivered()
    until(lambda: differences(copy, graph) == {}, "the copy has taken over")
    twice = graph.journal.events
    copy.execute("UPDATE things SET seq = seq + 1 WHERE id = 7")
    copy.wait_delivered()
    assert graph.journal.events == twice + 1, "captured once"
    copy.connection.close()


class Standby:
    """A second server from a base backup of the first."""

    def __init__(self, server):
        self.primary = server
        self.folder = pathlib.Path(server.environment["PGHOST"]) / "standby"
        self.port = str(int(server.environment["PGPORT"]) + 1)
        shutil.rmtree(self.folder, ignore_errors=True)
        run("pg_basebackup", "-D", self.folder, "-R", "-X", "stream", "-c", "fast")
        run("env", "LD_PRELOAD=" + preload(), "pg_ctl", "-D", self.folder, "-l", str(self.folder) + ".log", "-o", "-p %s -k %s" % (self.port, server.environment["PGHOST"]), "-w", "start")

    def connect(self, database):
        connection = psycopg2.connect(host=self.primary.environment["PGHOST"], port=self.port, user="postgres", dbname=database)
        connection.autocommit = True
        return connection

    def promote(self):
        run("pg_ctl", "-D", self.folder, "-w", "promote")

    def stop(self):
        run("pg_ctl", "-D", self.folder, "-m", "immediate", "-w", "stop")


def test_F15_a_standby_is_silent_until_it_is_promoted(original, server):
    graph = original.graph
    standby = Standby(server)
    try:
        there = Existing(standby, "copied")
        graph.stop()
        original.execute("UPDATE things SET seq = seq + 2000 WHERE id <= 300; DELETE FROM things WHERE id > 950")
        position = original.value("SELECT pg_current_wal_flush_lsn()")
        until(lambda: there.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position), "it follows")
        graph.start()
        original.wait_delivered()
        graph.stop()
        original.execute("UPDATE things SET seq = seq + 2000 WHERE id <= 200")
        position = original.value("SELECT pg_current_wal_flush_lsn()")
        until(lambda: there.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position), "it follows")
        server.kill()
        graph.start()
        asked = graph.requests
        time.sleep(1)
        assert there.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'autosync%'") == 0 and graph.requests == asked
        standby.promote()
        until(lambda: not there.value("SELECT pg_is_in_recovery()"), "it is promoted")
        there.wait_delivered()
        assert differences(there, graph) == {}
        there.execute("UPDATE things SET seq = seq + 1 WHERE id <= 400; DELETE FROM things WHERE id BETWEEN 500 AND 600")
        there.wait_delivered()
        assert differences(there, graph) == {} and graph.journal.inversions == 0
        assert there.value("SELECT count(*) FROM autosync.failed_events") == 0
        there.connection.close()
    finally:
        standby.stop()
        server.start()


@pytest.fixture
def subscriber(original, server):
    """A database that follows all tables of the original, and has a sync of its own."""
    graph = Graph()
    admin(server, "DROP DATABASE IF EXISTS subscriber WITH (FORCE)")
    database = Database(server, "subscriber")
    database.execute(TABLE)
    database.add_graph(graph)
    database.execute("SELECT autosync.add_sync('things', 'graph')")
    database.wait_delivered()
    database.graph = graph
    original.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    original.execute("SELECT pg_create_logical_replication_slot('everything', 'pgoutput')")
    place = server.environment
    database.execute("CREATE SUBSCRIPTION everything CONNECTION 'host=%s port=%s user=postgres dbname=copied' PUBLICATION everything"
                     " WITH (create_slot = false, slot_name = everything)" % (place["PGHOST"], place["PGPORT"]))
    yield database
    database.execute("ALTER SUBSCRIPTION everything DISABLE")
    database.execute("ALTER SUBSCRIPTION everything SET (slot_name = NONE)")
    database.execute("DROP SUBSCRIPTION everything")
    until(lambda: original.value("SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'everything'"), "the slot is free")
    original.execute("SELECT pg_drop_replication_slot('everything')")
    database.connection.close()
    admin(server, "DROP DATABASE subscriber WITH (FORCE)")
    graph.stop()


def test_F16_F35_a_subscriber_with_the_extension_captures_nothing_twice(original, subscriber):
    """All tables are published, ours too: neither side sees the log of the other, and what is applied is not captured again."""
    def follows():
        return subscriber.execute("SELECT id, seq FROM things ORDER BY id") == original.execute("SELECT id, seq FROM things ORDER BY id")
    until(follows, "the subscriber does not follow")
    original.execute("UPDATE things SET seq = seq + 3000; DELETE FROM things WHERE id > 800")
    until(follows, "the subscriber does not follow: %s" % subscriber.execute("SELECT srrelid::regclass::text, srsubstate FROM pg_subscription_rel"))
    original.wait_delivered()
    assert differences(original, original.graph) == {}
    time.sleep(1)
    assert subscriber.graph.journal.events == 0, "what was applied was captured once more"
    # Its own changes go its own way.
    subscriber.execute("INSERT INTO things VALUES (100000, 1)")
    subscriber.wait_delivered()
    assert subscriber.graph.held() == {"100000": 1}
    assert "100000" not in original.graph.held()
    ours = "SELECT count(*) FROM autosync.%s WHERE instance NOT IN (SELECT id FROM autosync.instance)"
    for database in (original, subscriber):
        for table in ("log_0", "log_1", "log_2"):
            assert database.value(ours % table) == 0
    assert subscriber.execute("SELECT * FROM autosync.failed_events") == []
