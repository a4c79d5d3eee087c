"""The launcher and the workers as processes: they come, go and make way, and leave nothing in the log."""
import contextlib
import pathlib
import re
import socket
import threading
import time

import psycopg2
import pytest

PREFIX = "worker_"
PROMPT = 20  # seconds within which even a busy machine has done what nobody waits for a minute: a look of the launcher, a poll, the end of a request


def eventually(condition, message, timeout=PROMPT):
    """Waits for a condition; how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout, "%s: not within %s s" % (message, timeout)
        time.sleep(0.02)
    return time.monotonic() - began


class Cluster:
    """The server as an administrator sees it, with a log that is read from where the test began."""

    def __init__(self, server):
        self.server = server
        self.log = pathlib.Path(server.environment["PGHOST"]) / "server.log"
        self.seen = self.log.stat().st_size
        self.connection = server.connect("postgres")

    def rows(self, statement, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return cursor.fetchall() if cursor.description else []

    def seconds(self, statement):
        self.rows("CHECKPOINT")  # what others have left to write is not what it takes
        began = time.monotonic()
        self.rows(statement)
        return time.monotonic() - began

    def within(self, database, statement):
        with contextlib.closing(self.server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self, name, extension=True):
        self.rows("CREATE DATABASE %s" % name)
        if extension:
            self.within(name, "CREATE EXTENSION autosync")

    def served(self, name):
        """The pids of a database's workers."""
        return [pid for (pid,) in self.rows("SELECT pid FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = %s", name)]

    def wait_for_worker(self, name, other_than=()):
        found = []  # it may be gone again at the next look
        eventually(lambda: found.extend(pid for pid in self.served(name) if pid not in other_than) or found, "a worker for " + name)
        return found[0]

    def stays_without(self, name):
        """One that comes to look finds nothing, and goes."""
        seen = time.monotonic()

        def away():
            nonlocal seen
            if self.served(name):
                seen = time.monotonic()
            return time.monotonic() - seen > 0.5
        eventually(away, "the end of a worker for " + name)

    def drop_all(self):
        for (name,) in self.rows("SELECT datname FROM pg_database WHERE datname LIKE %s AND NOT datistemplate", PREFIX + "%"):
            self.rows('DROP DATABASE "%s" WITH (FORCE)' % name)

    def restart(self, **settings):
        for name, value in settings.items():
            self.rows("ALTER SYSTEM SET autosync.%s = %s" % (name, value))
        self.connection.close()
        self.server.stop()
        self.server.start()
        self.connection = self.server.connect("postgres")

    def complaints(self):
        """Lines of the log that would worry an administrator. Ends of the worker are quiet; so is everything we did not provoke."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.seen)
            lines = log.read().splitlines()
        return [line for line in lines if re.search(r"autosync.*(FATAL|PANIC|ERROR|WARNING)|gives up|autosync worker.*exited|terminated by signal", line)]


@pytest.fixture
def cluster(server):
    cluster = Cluster(server)
    cluster.drop_all()
    yield cluster
    cluster.drop_all()
    assert cluster.complaints() == []
    cluster.connection.close()


def test_a_worker_comes_with_the_extension(cluster):
    cluster.create("worker_new")
    cluster.wait_for_worker("worker_new")
    (row,) = cluster.rows("SELECT application_name, state FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = 'worker_new'")
    assert row == ("autosync worker", "idle") or row[1] == "active"


def test_no_worker_stays_where_there_is_no_extension(cluster):
    cluster.create("worker_without", extension=False)
    cluster.stays_without("worker_without")


def test_create_extension_that_is_rolled_back_leaves_no_worker(cluster):
    cluster.create("worker_undone", extension=False)
    cluster.within("worker_undone", "BEGIN; CREATE EXTENSION autosync; ROLLBACK")
    cluster.stays_without("worker_undone")


def test_a_terminated_worker_is_back_within_a_second(cluster):
    cluster.create("worker_terminated")
    first = cluster.wait_for_worker("worker_terminated")
    times = []
    for _ in range(3):
        began = time.monotonic()
        cluster.rows("SELECT pg_terminate_backend(%s)", first)
        first = cluster.wait_for_worker("worker_terminated", other_than=[first])
        times.append(time.monotonic() - began)
    assert min(times) < 1, "one that fails is given a rest of a second, then of two: %s" % times
    eventually(lambda: cluster.served("worker_terminated") == [first], "the end of the others")


def test_a_terminated_launcher_is_back_and_takes_over(cluster):
    cluster.create("worker_orphan")
    worker = cluster.wait_for_worker("worker_orphan")
    launcher = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'autosync launcher'"
    before = cluster.rows(launcher)
    cluster.rows("SELECT pg_terminate_backend(pid) FROM (%s) AS launcher" % launcher)
    eventually(lambda: cluster.rows(launcher) not in ([], before), "the launcher")
    assert cluster.served("worker_orphan") == [worker]
    cluster.create("worker_later")
    cluster.wait_for_worker("worker_later")


def test_the_worker_leaves_with_the_extension_and_comes_back_with_it(cluster):
    cluster.create("worker_extension")
    for _ in range(2):
        cluster.wait_for_worker("worker_extension")
        cluster.within("worker_extension", "DROP EXTENSION autosync CASCADE")
        eventually(lambda: not cluster.served("worker_extension"), "the worker's end")
        cluster.within("worker_extension", "CREATE EXTENSION autosync")
    cluster.wait_for_worker("worker_extension")


def test_an_extension_made_anew_in_one_transaction_gets_a_new_worker(cluster):
    cluster.create("worker_anew")
    first = cluster.wait_for_worker("worker_anew")
    cluster.within("worker_anew", "BEGIN; DROP EXTENSION autosync; CREATE EXTENSION autosync; COMMIT")
    time.sleep(0.5)
    eventually(lambda: len(cluster.served("worker_anew")) == 1, "one worker")
    assert first is not None


@pytest.mark.parametrize("force", ["", " WITH (FORCE)"])
def test_drop_database(cluster, force):
    cluster.create("worker_dropped")
    cluster.wait_for_worker("worker_dropped")
    assert cluster.seconds("DROP DATABASE worker_dropped" + force) < 5


def test_database_as_template_and_renamed(cluster):
    cluster.create("worker_original")
    cluster.wait_for_worker("worker_original")
    assert cluster.seconds("CREATE DATABASE worker_copy TEMPLATE worker_original") < 5
    cluster.wait_for_worker("worker_original")
    cluster.wait_for_worker("worker_copy")
    assert cluster.seconds("ALTER DATABASE worker_copy RENAME TO worker_renamed") < 5
    cluster.wait_for_worker("worker_renamed")


def test_a_rename_keeps_the_worker_away_until_it_is_decided(cluster):
    cluster.create("worker_waits")
    cluster.wait_for_worker("worker_waits")
    with contextlib.closing(psycopg2.connect(cluster.connection.dsn)) as other, other.cursor() as cursor:
        cursor.execute("ALTER DATABASE worker_waits RENAME TO worker_other")
        time.sleep(0.5)
        assert cluster.served("worker_waits") == []
        other.rollback()
        cluster.wait_for_worker("worker_waits")


def test_a_statement_that_fails_gives_the_database_back(cluster):
    cluster.create("worker_busy")
    cluster.wait_for_worker("worker_busy")
    with contextlib.closing(cluster.server.connect("worker_busy")):
        with pytest.raises(psycopg2.errors.ObjectInUse):
            cluster.rows("DROP DATABASE worker_busy")
        cluster.wait_for_worker("worker_busy")


def test_strangers_do_not_disturb_the_worker(cluster):
    cluster.create("worker_foreign")
    worker = cluster.wait_for_worker("worker_foreign")
    cluster.rows("DROP ROLE IF EXISTS worker_stranger")
    cluster.rows("CREATE ROLE worker_stranger CREATEDB")
    for statement in ("DROP DATABASE worker_foreign", "ALTER DATABASE worker_foreign RENAME TO worker_mine", "CREATE DATABASE worker_mine TEMPLATE worker_foreign"):
        with contextlib.closing(cluster.server.connect("postgres")) as session, session.cursor() as cursor:
            cursor.execute("SET ROLE worker_stranger")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
    assert cluster.served("worker_foreign") == [worker]
    cluster.rows("DROP ROLE worker_stranger")


def test_settings_of_the_database_reach_the_worker(cluster):
    cluster.create("worker_settings")
    first = cluster.wait_for_worker("worker_settings")
    cluster.rows("ALTER DATABASE worker_settings SET work_mem = '5MB'")
    time.sleep(0.3)
    assert cluster.served("worker_settings") == [first]
    cluster.rows("ALTER DATABASE worker_settings SET autosync.batch_size = 7")
    cluster.wait_for_worker("worker_settings", other_than=[first])


def test_databases_share_two_workers(cluster):
    cluster.restart(max_workers=2)
    try:
        names = ["worker_share_%d" % number for number in range(5)]
        for name in names:
            cluster.create(name)
            cluster.wait_for_worker(name)
            # One that has given way may still be on its way out as a process.
            assert cluster.within(name, "SELECT count(*) <= 2 FROM autosync.stat_workers") == [(True,)]
        # Whoever has work gets a place at once, though all are taken.
        idle = next(name for name in names if not cluster.served(name))
        cluster.within(idle, "DROP EXTENSION autosync")
        cluster.within(idle, "CREATE EXTENSION autosync")
        cluster.wait_for_worker(idle)
    finally:
        cluster.drop_all()
        cluster.rows("ALTER SYSTEM RESET autosync.max_workers")
        cluster.restart()


def test_shutdown_and_start(cluster):
    cluster.create("worker_survives")
    cluster.wait_for_worker("worker_survives")
    cluster.rows("CHECKPOINT")  # what others have left to write is not what it takes
    began = time.monotonic()
    cluster.restart()
    cluster.wait_for_worker("worker_survives")
    assert time.monotonic() - began < 8
    began = time.monotonic()
    cluster.connection.close()
    cluster.server.stop()
    assert time.monotonic() - began < 2
    cluster.server.start()
    cluster.connection = cluster.server.connect("postgres")
    cluster.wait_for_worker("worker_survives")


def arrival(cluster, name, key):
    """Waits until a row of `things` has arrived; how long that took."""
    with contextlib.closing(cluster.server.connect(name)) as session, session.cursor() as cursor:

        def arrived():
            cursor.execute("SELECT EXISTS (SELECT FROM autosync.sent WHERE key = %s)", (key,))
            return cursor.fetchone()[0]

        return eventually(arrived, "arrival of %s" % key)


def test_commits_wake_the_worker(cluster):
    """Also the commit of a prepared transaction, by a session that has captured nothing. Polling would take a minute here."""
    cluster.create("worker_woken")
    cluster.rows("ALTER DATABASE worker_woken SET autosync.poll_interval = '60s'")
    cluster.within("worker_woken", "CREATE SERVER things FOREIGN DATA WRAPPER autosync_test; SELECT autosync.adopt_database()")
    cluster.within("worker_woken", "CREATE TABLE things (id int PRIMARY KEY); SELECT autosync.add_sync('things', 'things')")
    cluster.wait_for_worker("worker_woken")
    cluster.within("worker_woken", "INSERT INTO things VALUES (1)")
    arrival(cluster, "worker_woken", "1")
    time.sleep(1)  # nothing is under way any more
    cluster.within("worker_woken", "INSERT INTO things VALUES (2)")
    assert arrival(cluster, "worker_woken", "2") < 1
    time.sleep(1)
    cluster.within("worker_woken", "BEGIN; INSERT INTO things VALUES (3); PREPARE TRANSACTION 'worker_woken'")
    time.sleep(0.5)
    cluster.within("worker_woken", "COMMIT PREPARED 'worker_woken'")
    assert arrival(cluster, "worker_woken", "3") < 1


def test_ddl_that_changes_rows_wakes_the_worker(cluster):
    """No row trigger fires: the statement itself has to wake the worker, whatever it is part of. Polling would take a minute here."""
    cluster.create("worker_ddl")
    cluster.rows("ALTER DATABASE worker_ddl SET autosync.poll_interval = '60s'")
    cluster.within("worker_ddl", "CREATE SERVER things FOREIGN DATA WRAPPER autosync_test; SELECT autosync.adopt_database()")
    cluster.within("worker_ddl", "CREATE TABLE things (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    cluster.within("worker_ddl", "CREATE TABLE two (id int PRIMARY KEY); INSERT INTO two VALUES (2)")
    cluster.within("worker_ddl", "SELECT autosync.add_sync('things', 'things')")
    cluster.wait_for_worker("worker_ddl")
    time.sleep(1)  # nothing is under way any more
    cluster.within("worker_ddl", "ALTER TABLE things ATTACH PARTITION one FOR VALUES IN (1)")
    assert arrival(cluster, "worker_ddl", "1") < 2
    time.sleep(1)
    cluster.within("worker_ddl", "DO $$ BEGIN EXECUTE 'ALTER TABLE things ATTACH PARTITION two FOR VALUES IN (2)'; END $$")
    assert arrival(cluster, "worker_ddl", "2") < 2
    time.sleep(1)
    cluster.within("worker_ddl", "CREATE SCHEMA attic; ALTER TABLE one SET SCHEMA attic; DROP SCHEMA attic CASCADE")
    with contextlib.closing(cluster.server.connect("worker_ddl")) as session, session.cursor() as cursor:

        def removed():
            cursor.execute("SELECT EXISTS (SELECT FROM autosync.sent WHERE key = '1' AND operation = 'remove')")
            return cursor.fetchone()[0]

        assert eventually(removed, "removal of 1") < 2
        cursor.execute("SELECT autosync.wait_delivered('things')")
        assert cursor.fetchone() == (True,)


def test_a_crash_empties_unlogged_tables(cluster):
    """Without an event: what the target holds from them has to go. An orderly restart keeps the rows, and brings nothing anew."""
    name = "worker_unlogged"
    cluster.create(name)
    cluster.within(name, "CREATE SERVER things FOREIGN DATA WRAPPER autosync_test; SELECT autosync.adopt_database()")
    cluster.within(name, "CREATE TABLE things (id int, kind text, PRIMARY KEY (kind, id)) PARTITION BY LIST (kind)")
    cluster.within(name, "CREATE TABLE lost PARTITION OF things FOR VALUES IN ('lost') WITH (autovacuum_enabled = off)")
    cluster.within(name, "ALTER TABLE lost SET UNLOGGED; CREATE TABLE kept PARTITION OF things FOR VALUES IN ('kept')")
    cluster.within(name, "INSERT INTO things SELECT i, kind FROM generate_series(1, 50) AS i, unnest('{lost,kept}'::text[]) AS kind")
    cluster.within(name, "SELECT autosync.add_sync('things', 'things')")

    def settled():
        jobs, pending = cluster.within(name, "SELECT (SELECT count(*) FROM autosync.jobs), (SELECT pending FROM autosync.stat_targets)")[0]
        return jobs == 0 and pending == 0

    def held():
        return dict(cluster.within(name, "SELECT key::jsonb ->> 'kind', count(*) FROM (SELECT DISTINCT ON (key) * FROM autosync.sent ORDER BY key, sent_id DESC)"
                                         " AS last WHERE operation = 'upsert' GROUP BY 1"))

    eventually(lambda: settled() and held() == {"lost": 50, "kept": 50}, "the backfill", 60)
    deliveries = cluster.within(name, "SELECT count(*) FROM autosync.sent")
    cluster.restart()
    cluster.within(name, "INSERT INTO things VALUES (51, 'kept')")
    eventually(lambda: settled() and held() == {"lost": 50, "kept": 51}, "an event", 60)
    assert cluster.within(name, "SELECT count(*) - 1 FROM autosync.sent") == deliveries
    cluster.connection.close()
    cluster.server.stop("immediate")
    cluster.server.start()
    cluster.connection = cluster.server.connect("postgres")
    eventually(lambda: settled() and held() == {"kept": 51}, "the sweep", 60)
    cluster.within(name, "INSERT INTO things VALUES (1, 'lost')")
    eventually(lambda: settled() and held() == {"lost": 1, "kept": 51}, "an event after that", 60)


@contextlib.contextmanager
def silent_server():
    """Takes every connection, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = []

        def take():
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % listening.getsockname()[1]
        finally:
            for connection in taken:
                connection.close()
            listening.shutdown(socket.SHUT_RDWR)


def test_a_target_that_is_dropped_while_it_is_asked_keeps_nobody_busy(cluster):
    cluster.create("worker_hanging")
    with silent_server() as url, contextlib.closing(cluster.server.connect("worker_hanging")) as session, session.cursor() as cursor:

        def state():
            cursor.execute("SELECT state FROM autosync.stat_workers WHERE datname = current_database()")
            return cursor.fetchone()

        cursor.execute("CREATE SERVER silent FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s')" % url)
        cursor.execute("CREATE USER MAPPING FOR PUBLIC SERVER silent OPTIONS (username 'a', password 'b'); SELECT autosync.adopt_database()")
        cursor.execute("CREATE TABLE things (id int PRIMARY KEY); INSERT INTO things VALUES (1); SELECT autosync.add_sync('things', 'silent')")
        eventually(lambda: state() not in (None, (None,)), "a request under way")
        cursor.execute("SET client_min_messages = warning; DROP SERVER silent CASCADE")
        eventually(lambda: state() == (None,), "rest")
