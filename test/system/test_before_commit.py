"""delivery = sync: what is written is at the target before the transaction commits, and goes from there when it does not."""
import contextlib
import http.server
import os
import signal
import socket
import threading
import time

import psycopg2
import psycopg2.errors
import pytest


@contextlib.contextmanager
def silence():
    """A server that takes whatever it is sent and never answers; while it is there, so are its connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def take():
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield "http://127.0.0.1:%d" % listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


@pytest.fixture(scope="module")
def orders(database, graph):
    database.add_graph(graph)
    database.execute("""CREATE TABLE orders (id int PRIMARY KEY, status text);
        SELECT autosync.add_sync('orders', 'graph', '{"delivery": "sync"}'); INSERT INTO orders VALUES (1, 'open'), (2, 'open')""")
    database.wait_delivered()
    return database


def statuses(graph):
    return graph.rows("MATCH (o:orders) RETURN o.id, o.status ORDER BY o.id")


def until(what, wanted, timeout=20):
    deadline = time.monotonic() + timeout
    while what() != wanted:
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


class Session:
    """A transaction that updates order 1, adds order 9, and has COMMIT under way in a thread of its own."""

    def __init__(self, database, *settings):
        self.connection = database.connect()
        self.connection.autocommit = False
        self.pid = self.connection.get_backend_pid()
        self.error = None
        with self.connection.cursor() as cursor:
            cursor.execute("UPDATE orders SET status = 'early' WHERE id = 1; INSERT INTO orders VALUES (9, 'early')")
            for setting in settings:  # for COMMIT: what comes before it may take longer than a timeout for that
                cursor.execute("SET " + setting)
        self.thread = threading.Thread(target=self.commit)
        self.thread.start()

    def commit(self):
        try:
            self.connection.commit()
        except psycopg2.Error as error:
            self.error = error

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        notices = list(self.connection.notices)
        self.connection.close()
        return self.error, notices


@pytest.fixture(scope="module")
def stuck(orders):
    """A second target, behind the first one, that never answers: COMMIT stands still when the first has it."""
    with silence() as url:
        orders.execute("CREATE SERVER silent FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s', request_timeout '60s')" % url)
        orders.execute("CREATE USER MAPPING FOR PUBLIC SERVER silent OPTIONS (username 'a', password 'b')")
        orders.execute("""SELECT autosync.add_sync('orders', 'silent', '{"delivery": "sync"}', backfill => false)""")
        yield orders
        orders.execute("DROP SERVER IF EXISTS silent CASCADE")


BEFORE = [[1, "open"], [2, "open"]]
EARLY = [[1, "early"], [2, "open"], [9, "early"]]


def test_it_is_there_when_commit_returns(orders, graph):
    orders.execute("UPDATE orders SET status = 'sent' WHERE id = 2")
    assert statuses(graph) == [[1, "open"], [2, "sent"]]
    orders.execute("BEGIN; UPDATE orders SET status = 'never' WHERE id = 1; ROLLBACK")
    orders.execute("UPDATE orders SET status = 'open' WHERE id = 2")
    assert statuses(graph) == BEFORE


def test_it_arrives_before_the_commit_and_a_cancel_brings_back_what_was_there(stuck, graph):
    session = Session(stuck)
    until(lambda: statuses(graph), EARLY)
    assert stuck.execute("SELECT * FROM orders ORDER BY id") == [(1, "open"), (2, "open")], "nobody else sees it"
    stuck.execute("SELECT pg_cancel_backend(%s)", session.pid)
    error, _ = session.end()
    assert isinstance(error, psycopg2.errors.QueryCanceled)
    until(lambda: statuses(graph), BEFORE)
    assert stuck.execute("SELECT * FROM orders ORDER BY id") == [(1, "open"), (2, "open")]


def test_statement_timeout_ends_it(stuck, graph):
    error, _ = Session(stuck, "statement_timeout = '1s'").end()
    assert isinstance(error, psycopg2.errors.QueryCanceled) and "statement timeout" in str(error)
    until(lambda: statuses(graph), BEFORE)


def test_a_session_that_is_terminated_leaves_nothing(stuck, graph):
    session = Session(stuck)
    until(lambda: statuses(graph), EARLY)
    stuck.execute("SELECT pg_terminate_backend(%s)", session.pid)
    error, _ = session.end()
    assert error is not None
    until(lambda: statuses(graph), BEFORE)


def test_the_worker_ends_meanwhile(stuck, graph):
    session = Session(stuck, "autosync.fail_silently = off")
    until(lambda: statuses(graph), EARLY)

    def over():
        """What a worker has not taken up yet when it ends, the next one does."""
        stuck.execute("SELECT pg_terminate_backend(pid) FROM autosync.stat_workers WHERE datname = current_database()")
        session.thread.join(1)
        return not session.thread.is_alive()
    until(over, True)
    error, _ = session.end()
    assert error.pgcode == "08006", error
    until(lambda: statuses(graph), BEFORE)  # another one knows by the marks what to look at


def test_a_server_that_crashes_meanwhile_brings_back_what_was_there(stuck, graph, server):
    session = Session(stuck)
    until(lambda: statuses(graph), EARLY)
    server.kill()
    session.end()
    server.start()
    stuck.connection = None
    until(lambda: statuses(graph), BEFORE, timeout=60)
    assert stuck.execute("SELECT * FROM orders ORDER BY id") == [(1, "open"), (2, "open")]


def test_a_target_that_is_down(orders, graph):
    orders.execute("DROP SERVER IF EXISTS silent CASCADE")
    orders.execute("ALTER SERVER graph OPTIONS (SET url 'http://127.0.0.1:1')")
    error, _ = Session(orders, "autosync.fail_silently = off").end()
    assert error.pgcode == "08001", error
    error, notices = Session(orders).end()
    assert error is None and 'could not deliver to target "graph" before the commit' in notices[-1]
    orders.execute("ALTER SERVER graph OPTIONS (SET url '%s')" % graph.url)
    orders.wait_delivered()
    assert statuses(graph) == EARLY


@contextlib.contextmanager
def saying(status):
    """A server that has one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.send_header("Retry-After", "3600")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:%d" % server.server_port
    server.shutdown()


@pytest.mark.parametrize("name, place, patience, sqlstate, state", [
    ("throttled", lambda: saying(429), "60s", "53400", "backing_off"),
    ("unauthorized", lambda: saying(401), "60s", "28000", "unauthorized"),
    ("timed_out", silence, "200ms", "57014", "unreachable")])
def test_why_it_was_not_delivered_is_the_state_of_the_error(database, name, place, patience, sqlstate, state):
    with place() as url:
        database.execute("CREATE SERVER %s FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s', request_timeout '%s')" % (name, url, patience))
        database.execute("CREATE USER MAPPING FOR PUBLIC SERVER %s OPTIONS (username 'a', password 'b'); SELECT autosync.adopt_database()" % name)
        database.execute("CREATE TABLE sent_%s (id int PRIMARY KEY); SELECT autosync.add_sync('sent_%s', '%s', '{\"delivery\": \"sync\"}', backfill => false)" % (name, name, name))
        with contextlib.closing(database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET autosync.fail_silently = off")
            with pytest.raises(psycopg2.Error) as error:
                cursor.execute("INSERT INTO sent_%s VALUES (1)" % name)
            assert error.value.pgcode == sqlstate, error.value
            assert "rolled back" in error.value.diag.message_detail
            cursor.execute("SET autosync.fail_silently = on; INSERT INTO sent_%s VALUES (2)" % name)
            assert 'could not deliver to target "%s" before the commit' % name in connection.notices[-1]
            cursor.execute("SELECT array_agg(id) FROM sent_%s" % name)
            assert cursor.fetchone() == ([2],)
        until(lambda: database.value("SELECT state FROM autosync.stat_targets WHERE target = %s", name), state)
        assert database.value("SELECT count(*) FROM autosync.event_log WHERE target = %s AND status IN ('PENDING', 'RETRYING') AND entity_id = '2'", name) == 1, "nothing of it is lost"
        database.execute("DROP SERVER %s CASCADE; DROP TABLE sent_%s" % (name, name))


def test_what_neo4j_refuses(orders, graph, cypher):
    """Neo4j forbids what a constraint of its own does not allow. A sync counts its own attempts, also after an early send."""
    cypher("CREATE CONSTRAINT one_of_a_kind FOR (n:Kind) REQUIRE n.name IS UNIQUE")
    orders.execute("""CREATE TABLE kinds (id int PRIMARY KEY, name text);
        SELECT autosync.add_sync('kinds', 'graph', '{"label": "Kind", "delivery": "sync", "max_attempts": 2, "retry_initial_delay": "10ms", "retry_max_delay": "10ms"}');
        INSERT INTO kinds VALUES (1, 'a')""")
    with pytest.raises(psycopg2.Error) as error:
        orders.execute("SET autosync.fail_silently = off; INSERT INTO kinds VALUES (2, 'a')")
    assert error.value.pgcode == "HV000" and "ConstraintValidationFailed" in str(error.value), error.value
    assert orders.execute("SELECT * FROM kinds") == [(1, "a")]
    orders.execute("RESET autosync.fail_silently; INSERT INTO kinds VALUES (3, 'a')")
    assert "ConstraintValidationFailed" in orders.connection.notices[-1]
    assert not orders.value("SELECT autosync.wait_delivered('graph')")
    assert orders.execute("SELECT source, entity_id, attempts FROM autosync.failed_events") == [("public.kinds", "3", 2)]
    orders.execute("UPDATE kinds SET name = 'b' WHERE id = 3; SELECT autosync.retry()")
    orders.wait_delivered()
    assert cypher("MATCH (n:Kind) RETURN n.id, n.name ORDER BY n.id") == [[1, "a"], [3, "b"]]


def test_what_is_prepared_is_not_sent_before_it_is_committed(orders, graph):
    orders.execute("UPDATE orders SET status = 'open' WHERE id = 1; DELETE FROM orders WHERE id = 9")
    assert statuses(graph) == BEFORE
    orders.execute("BEGIN; UPDATE orders SET status = 'early' WHERE id = 1; INSERT INTO orders VALUES (9, 'early'); PREPARE TRANSACTION 'later'")
    orders.wait_delivered()
    assert statuses(graph) == BEFORE
    orders.execute("COMMIT PREPARED 'later'")
    orders.wait_delivered()
    assert statuses(graph) == EARLY


def stop_at_rest(database, pid):
    """Stops a worker while it waits: then it holds nothing that others need."""
    def stopped():
        with open("/proc/%d/stat" % pid) as status:
            return status.read().rsplit(") ", 1)[1].startswith("T")

    while True:
        os.kill(pid, signal.SIGSTOP)
        until(stopped, True)
        if database.value("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", pid) == "Extension":
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)


def test_no_worker_takes_it_up(orders, graph):
    pid = orders.value("SELECT pid FROM autosync.stat_workers WHERE datname = current_database()")
    orders.execute("UPDATE orders SET status = 'open' WHERE id = 1; DELETE FROM orders WHERE id = 9")
    orders.wait_delivered()
    until(lambda: orders.value("SELECT state FROM autosync.stat_workers WHERE pid = %s", pid), None)
    stop_at_rest(orders, pid)
    try:
        error, notices = Session(orders, "autosync.connect_timeout = '300ms'").end()
        assert error is None and "no worker has taken it up" in notices[-1]
    finally:
        os.kill(pid, signal.SIGCONT)
    orders.wait_delivered()
    assert statuses(graph) == EARLY
