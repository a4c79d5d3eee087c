"""What must survive: Neo4j away for a while, the worker killed, the server killed while commits are not yet on disk."""
import pathlib
import time

import psycopg2
import pytest

from model import compare, tables_of
from patience import until
from storm import Writer, defer_foreign_keys

SHOP = pathlib.Path(__file__).with_name("shop.sql")


@pytest.fixture(scope="module")
def shop(database, graph):
    database.load(SHOP)
    database.add_graph(graph)
    database.execute("SELECT * FROM autosync.add_schema('public', 'graph')")
    database.wait_delivered()
    return database


def state(database):
    return database.value("SELECT state FROM autosync.stat_targets WHERE target = 'graph'")


def kill_worker(database):
    """SIGTERM, as an administrator would; the launcher brings another one."""
    deadline = time.monotonic() + 30
    while True:
        pids = [pid for (pid,) in database.execute("SELECT pid FROM autosync.stat_workers WHERE datname = current_database() AND pid IS NOT NULL")]
        if pids:
            for pid in pids:
                database.execute("SELECT pg_terminate_backend(%s)", pid)
            return
        assert time.monotonic() < deadline, "no worker to kill"
        time.sleep(0.1)


def test_neo4j_stopped_and_worker_killed_in_the_middle(shop, graph):
    defer_foreign_keys(shop, tables_of(shop))
    writers = [Writer(shop, 4711 + number, 100_000, pause=0.02) for number in range(2)]
    for writer in writers:
        writer.start()
    time.sleep(1)
    kill_worker(shop)
    time.sleep(2)
    graph.stop()
    until(lambda: state(shop) in ("unreachable", "backing_off"), "it is not noticed")
    time.sleep(2)
    kill_worker(shop)
    time.sleep(1)
    graph.start()
    time.sleep(1)
    for writer in writers:
        writer.stopping.set()
    for writer in writers:
        writer.finish()
    print("%d changes committed" % sum(writer.committed for writer in writers))
    shop.wait_delivered()
    assert compare(shop, graph) == []
    assert shop.value("SELECT count(*) FROM autosync.failed_events") == 0
    until(lambda: state(shop) == "active", "the target is back")  # what has arrived is written down before that


class Counters(Writer):
    """Inserts rows and raises their counters: what PostgreSQL loses shows as a node too many or a counter too high."""

    def write(self):
        while not self.stopping.is_set():
            try:
                if self.random.random() < 0.3:
                    self.cursor.execute("INSERT INTO counters SELECT coalesce(max(id), 0) + 1, 1 FROM counters")
                else:
                    self.cursor.execute("UPDATE counters SET n = n + 1 WHERE id = (SELECT id FROM counters OFFSET floor(random() * (SELECT count(*) FROM counters)) LIMIT 1)")
                self.committed += 1
            except psycopg2.DatabaseError as error:
                if error.pgcode is None or self.cursor.connection.closed:
                    return  # an error that no server has sent: it was killed
                raise
            time.sleep(0.001)


@pytest.fixture
def seldom_polled(shop):
    """What waited for a look every poll_interval would show."""
    shop.execute("ALTER SYSTEM SET autosync.poll_interval = '60s'")
    shop.execute("SELECT pg_reload_conf()")
    yield
    shop.execute("ALTER SYSTEM RESET autosync.poll_interval")
    shop.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("how", ["kill", "immediate", "kill"])
def test_nothing_is_sent_that_a_crash_takes_back(shop, seldom_polled, server, graph, how):
    if shop.value("SELECT to_regclass('counters') IS NULL"):
        shop.execute("CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)")
        shop.execute("SELECT autosync.add_sync('counters', 'graph')")
        # The log is flushed late, so that there is much to lose.
        shop.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        shop.execute("ALTER SYSTEM SET wal_writer_flush_after = 0")
        shop.execute("SELECT pg_reload_conf()")
        shop.wait_delivered()
    writer = Counters(shop, 1, 0, session="SET synchronous_commit = off")
    writer.start()
    time.sleep(3)
    until(lambda: writer.committed > 100 and graph.rows("MATCH (c:counters) RETURN count(c)") != [[0]], "there is something to lose")
    if how == "kill":
        server.kill()
    else:
        server.stop("immediate")
    writer.finish()
    # A request that was under way may still be applied.
    time.sleep(1)
    held = dict(graph.rows("MATCH (c:counters) RETURN c.id, c.n"))
    server.start()
    shop.connection = None
    kept = dict(shop.execute("SELECT id, n FROM counters"))
    print("%d commits, %d rows in the graph, %d kept by PostgreSQL" % (writer.committed, len(held), len(kept)))
    assert writer.committed > 100 and held
    too_much = {key: (n, kept.get(key)) for key, n in held.items() if n > kept.get(key, 0)}
    assert too_much == {}
    shop.execute("UPDATE counters SET n = n + 1 WHERE id % 2 = 0")
    shop.wait_delivered(timeout=50)  # every table is prepared again, one right after the other: no look every poll_interval takes part in it
    assert compare(shop, graph) == []
