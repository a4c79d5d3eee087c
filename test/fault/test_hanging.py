"""A request is under way and the target does not answer: whatever an administrator does meanwhile takes no longer than without it."""
import contextlib
import itertools
import os
import resource
import time

import pytest

from crashes import back
from graph import hanging
from oracle import TABLE, differences
from patience import until
from servers import Database, script

numbers = itertools.count(1)


def declare(database, graph):
    database.execute(TABLE)
    database.add_graph(graph)
    database.execute("SELECT autosync.add_sync('things', 'graph')")
    database.wait_delivered()


@pytest.fixture
def busy(server, graph):
    """A database whose worker waits for an answer."""
    graph.heal()
    graph.rows.clear()
    server.start()
    database = Database(server, "busy_%d" % next(numbers))
    declare(database, graph)
    graph.fault(hanging, 1_000)
    hang(database, graph)
    yield database
    graph.heal()
    if database.connection is not None:
        database.connection.close()
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute('DROP DATABASE IF EXISTS "%s" WITH (FORCE)' % database.name)


def hang(database, graph):
    left = graph.faults[0][1]
    database.execute("INSERT INTO things SELECT i, 1 FROM generate_series(1, 100) AS i")
    until(lambda: graph.faults[0][1] < left, "the target is not asked")


def seconds(server, statement, database="postgres"):
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")  # what others have left to write is not what it takes
        began = time.monotonic()
        cursor.execute(statement)
        return time.monotonic() - began


@pytest.mark.parametrize("mode", ("fast", "smart", "immediate"))
def test_F03_a_restart_with_a_request_in_flight(busy, server, graph, mode):
    busy.connection.close()
    began = time.monotonic()
    server.stop(mode)
    assert time.monotonic() - began < 5
    graph.heal()
    server.start()
    back(busy)
    busy.wait_delivered()
    assert differences(busy, graph) == {}


@pytest.mark.parametrize("statement", ("DROP DATABASE {0}", "DROP DATABASE {0} WITH (FORCE)", "CREATE DATABASE {0}_copy TEMPLATE {0}",
                                       "ALTER DATABASE {0} RENAME TO {0}_renamed", "DROP EXTENSION autosync CASCADE"))
def test_F17_what_needs_the_database_for_itself(busy, server, statement):
    busy.connection.close()
    workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname LIKE 'busy%%'"
    statement = statement.format(busy.name)
    assert (seconds(server, "SET client_min_messages = warning; " + statement, busy.name) if "EXTENSION" in statement else seconds(server, statement)) < 5
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        seen = set()
        for _ in range(20):
            cursor.execute(workers.replace("count(*)", "pid"))
            seen.update(cursor.fetchall())
            time.sleep(0.05)
        assert len(seen) <= 3, "workers come and go"
        for name in (busy.name + "_copy", busy.name + "_renamed"):
            cursor.execute('DROP DATABASE IF EXISTS "%s" WITH (FORCE)' % name)
    busy.connection = None


def test_F19_another_database_is_made_and_dropped(busy, server, graph):
    """The worker takes part in the barriers of the whole cluster."""
    times = [seconds(server, statement) for statement in ("CREATE DATABASE passing", "DROP DATABASE passing")]
    graph.heal()
    graph.disconnect()
    busy.wait_delivered()
    alone = [seconds(server, statement) for statement in ("CREATE DATABASE passing", "DROP DATABASE passing")]
    print("with a request under way %s s, without %s s" % (times, alone))
    assert sum(times) < sum(alone) + 2


def test_F21_a_worker_that_waits_holds_no_snapshot(busy, graph):
    """Neither while a request is under way nor when there is nothing to do: VACUUM goes on."""
    state = ("SELECT state, wait_event IS DISTINCT FROM 'Extension' OR (backend_xmin IS NULL AND xact_start IS NULL), wait_event IS NOT DISTINCT FROM 'Extension'"
             " FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = current_database()")

    def held():
        """How often it was seen to wait with one. Between two looks at it, it may have begun to work; what it works is short, and may be interrupted."""
        found = [row for _ in range(40) for row in (time.sleep(0.02), *busy.execute(state)) if row is not None]
        assert len(found) == 40 and all(row[0] != "idle in transaction" for row in found)
        assert sum(1 for row in found if row[2]) > 10, "it does not wait"
        return sum(1 for row in found if not row[1])

    assert held() <= 2
    graph.heal()
    graph.disconnect()
    busy.wait_delivered()
    assert held() <= 2


@pytest.mark.skipif("asan" in os.environ.get("AUTOSYNC_PRELOAD", ""), reason="AddressSanitizer ends a process that gets no memory")
def test_F08_a_worker_without_memory(busy, server, graph):
    """It fails, the server does not; the next one has what it needs."""
    graph.heal()
    graph.disconnect()
    busy.wait_delivered()
    pid = busy.value("SELECT pid FROM autosync.stat_workers WHERE datname = current_database()")
    with open("/proc/%d/statm" % pid, encoding="ascii") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    script("postgres", "run", "prlimit", "--pid", str(pid), "--as=%d:unlimited" % (size + (8 << 20)))
    before = len(server.crashes())
    busy.execute("INSERT INTO things SELECT i, i, repeat('y', 2000000) FROM generate_series(1001, 1040) AS i")
    time.sleep(3)
    script("postgres", "run", "prlimit", "--pid", str(pid), "--as=unlimited", check=False)  # it may have ended, and its limit with it
    busy.wait_delivered()
    assert differences(busy, graph) == {}
    assert len(server.crashes()) == before
    assert busy.value("SELECT count(*) FROM autosync.failed_events") == 0
    assert busy.connection.closed == 0, "the server restarted"


def test_F36_a_target_that_holds_higher_versions(busy, graph):
    """After a restore, or of a database that was made anew, what the target holds may be newer than any clock here: the newest row wins."""
    graph.heal()
    graph.disconnect()
    busy.wait_delivered()
    with graph.lock:
        for row in graph.rows.values():
            row.version += 30 * 86_400_000_000
    busy.execute("UPDATE things SET seq = seq + 1 WHERE id <= 50; DELETE FROM things WHERE id > 90")
    busy.wait_delivered()
    assert differences(busy, graph) == {}
    busy.execute("DROP EXTENSION autosync CASCADE")
    busy.execute("UPDATE things SET seq = seq + 1; CREATE EXTENSION autosync")
    with graph.lock:
        for row in graph.rows.values():
            row.version += 30 * 86_400_000_000
    busy.add_graph(graph)
    busy.execute("SELECT autosync.add_sync('things', 'graph')")
    busy.wait_delivered()
    until(lambda: differences(busy, graph) == {}, "the newest state has not won: %s" % differences(busy, graph))
