"""What a crash in the worst moment leaves of the outbox: nothing is lost, nothing goes back in time, and commits go on."""
import itertools
import pathlib
import subprocess

import psycopg2
import pytest

from patience import until
from servers import preload

ROWS = 10_000


def alive(database):
    """Connects again as soon as the server takes connections."""
    database.connection = None

    def connected():
        try:
            return database.value("SELECT NOT pg_is_in_recovery()")
        except psycopg2.OperationalError:
            return False

    until(connected, "the server is not back")


def gone(database):
    """Whether the session has ended with the server."""
    try:
        return database.connection is None or database.value("SELECT 1") != 1
    except psycopg2.Error:
        return True


@pytest.fixture
def things(database, server):
    server.start()  # where a test has failed before it brought it back
    alive(database)
    database.execute("CREATE SERVER IF NOT EXISTS mirror FOREIGN DATA WRAPPER autosync_test")
    database.execute("SELECT autosync.adopt_database()")
    database.execute("ALTER DATABASE \"%s\" SET autosync.batch_size = 50" % database.name)
    database.execute("DROP TABLE IF EXISTS things")
    database.execute("CREATE TABLE things (id text PRIMARY KEY, n int NOT NULL)")
    database.execute("SELECT autosync.add_sync('things', 'mirror')")
    database.wait_delivered("mirror")
    yield database
    alive(database)
    database.execute("DROP TABLE things")
    database.wait_delivered("mirror")
    database.execute("DELETE FROM autosync.sent")


def sent(database):
    return database.value("SELECT count(*) FROM autosync.sent")


def back_in_time(database):
    """Deliveries of a row that do not follow on the one before them."""
    return database.execute("SELECT * FROM (SELECT key, version, lag(version) OVER row AS version_before, n, lag(n) OVER row AS n_before"
                            " FROM (SELECT *, (document ->> 'n')::int AS n FROM autosync.sent) AS s WINDOW row AS (PARTITION BY key ORDER BY sent_id)) AS s"
                            " WHERE version <= version_before OR n < n_before LIMIT 5")


def differences(database):
    """Rows whose last delivery is not what the table holds."""
    return database.execute("SELECT coalesce(t.id, s.key), t.n, s.operation, s.document FROM things AS t FULL JOIN"
                            " (SELECT DISTINCT ON (key) key, operation, document FROM autosync.sent ORDER BY key, sent_id DESC) AS s ON s.key = t.id"
                            " WHERE (t.id IS NULL AND s.operation <> 'remove') OR (t.id IS NOT NULL AND t.n IS DISTINCT FROM (s.document ->> 'n')::int) LIMIT 5")


@pytest.mark.parametrize("how", ["worker", "immediate", "kill"])
def test_what_is_repeated_after_a_crash_does_not_go_back_in_time(things, server, how):
    """While more follows, the cursor is written down every now and then only: what came after that is delivered again."""
    things.execute("INSERT INTO things SELECT i, 0 FROM generate_series(1, %s) AS i", ROWS)
    things.wait_delivered("mirror")
    repeated = 0
    for round_ in itertools.count(1):
        before = sent(things)
        things.execute("UPDATE things SET n = n + 1")
        things.execute("DELETE FROM things WHERE id::int %% 1000 = %s", round_)
        for part in (5, 2):
            until(lambda: sent(things) >= before + ROWS // part, "delivery goes on")
            if how == "worker":
                things.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = current_database()")
            else:
                server.kill() if how == "kill" else server.stop("immediate")
                server.start()
                alive(things)
            # What is deferred must not hide what is changed meanwhile.
            things.execute("UPDATE things SET n = n + 1 WHERE id::int %% 100 = %s", part)
        things.wait_delivered("mirror")
        repeated += things.value("SELECT count(*) FROM (SELECT FROM autosync.sent WHERE operation = 'upsert' GROUP BY key, document HAVING count(*) > 1) AS again")
        if round_ >= 2 and repeated > 0:
            break
        assert round_ < 10, "no crash came before the record of what was delivered"  # it does where that takes long
    print("%d deliveries, %d states sent more than once" % (sent(things), repeated))
    assert back_in_time(things) == []
    assert differences(things) == []


@pytest.fixture(scope="module")
def trap(server):
    """Arms a crash at the n-th time that a file of a table is cut off. The whole server goes down then, with what it had not flushed."""
    folder = pathlib.Path(server.environment["PGHOST"])
    library, flag = folder / "crash.so", folder / "crash.flag"
    flag.unlink(missing_ok=True)
    source = pathlib.Path(__file__).with_name("crash.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-DFLAG=\"%s\"" % flag, "-o", str(library), str(source), "-ldl"], check=True)
    library.chmod(0o755)

    def arm(count):
        flag.write_text("%d\n" % count)
        flag.chmod(0o666)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOSYNC_PRELOAD", preload(library))
        server.stop()
        server.start()
    arm.flag = flag
    yield arm
    flag.unlink(missing_ok=True)
    server.stop("immediate")
    server.start()


def fill_log(database, marker):
    """More than a log holds before another one has its turn."""
    database.execute("INSERT INTO things SELECT %s || repeat('x', 1500) || i, 1 FROM generate_series(1, 8000) AS i", marker)


def log_sizes(database):
    return [database.value("SELECT pg_relation_size('autosync.log_%d')" % i) for i in range(3)]


@pytest.mark.parametrize("count", [1, 2, 3])  # its index, its rows, the map of its free space
def test_a_crash_while_a_log_is_emptied(things, trap, count):
    things.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    things.execute("ALTER SYSTEM SET restart_after_crash = on")
    things.execute("SELECT pg_reload_conf()")
    things.execute("SELECT autosync.pause('mirror')")
    fill_log(things, "before")
    assert max(log_sizes(things)) > 8 << 20
    things.execute("CHECKPOINT")  # so that no image of a page heals what was cut off
    trap(count)
    things.execute("SELECT autosync.resume('mirror')")
    until(lambda: not trap.flag.exists(), "no log was emptied", 60)
    until(lambda: gone(things), "the server has not noticed")
    alive(things)
    # Every log takes entries, again and again.
    for turn in range(3):
        things.execute("INSERT INTO things VALUES ('after' || %s, 1)", turn)
        fill_log(things, "more" + str(turn))
        things.execute("UPDATE things SET n = n + 1 WHERE id LIKE 'after%'")
        things.wait_delivered("mirror")
        until(lambda: min(log_sizes(things)) == 0, "a log is emptied again")
    assert differences(things) == []
    assert back_in_time(things) == []


def test_a_session_goes_on_where_the_log_was_emptied(things):
    """It remembers where the root and the end of the index were."""
    for turn in range(4):
        fill_log(things, "turn" + str(turn))
        things.wait_delivered("mirror")
        things.execute("INSERT INTO things VALUES ('between' || %s, 1)", turn)
    things.wait_delivered("mirror")
    assert differences(things) == []
