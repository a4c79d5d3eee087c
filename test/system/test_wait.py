"""delivery = wait: COMMIT returns when the change is in the graph; whoever waits holds nothing up, is seen, and can be cancelled."""
import threading
import time

import pytest

from patience import until


def wait_until_waiting(database, pid):
    """Until a session's COMMIT waits for the delivery."""
    until(lambda: database.value("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", pid) == "Extension")


@pytest.fixture(scope="module")
def orders(database, graph):
    database.execute("CREATE TABLE orders (id int PRIMARY KEY, status text)")
    database.add_graph(graph)
    database.execute("""SELECT autosync.add_sync('orders', 'graph', '{"delivery": "wait"}')""")
    database.wait_delivered()
    return database


def test_a_commit_returns_when_it_has_arrived(orders, graph):
    for number in range(1, 6):
        orders.execute("INSERT INTO orders VALUES (%s, 'new')", number)
        assert graph.rows(f"MATCH (o:orders {{id: {number}}}) RETURN o.status") == [["new"]]
    orders.execute("DELETE FROM orders WHERE id = 1")
    assert graph.rows("MATCH (o:orders {id: 1}) RETURN count(o)") == [[0]]


def test_many_sessions_wait_side_by_side(orders, graph):
    failures = []
    turn = threading.Lock()  # the graph's client has one connection

    def work(session):
        connection = orders.connect()
        with connection.cursor() as cursor:
            for number in range(20):
                key = 1000 + session * 100 + number
                cursor.execute("INSERT INTO orders VALUES (%s, 'busy')", (key,))
                connection.commit()
                with turn:
                    if graph.rows(f"MATCH (o:orders {{id: {key}}}) RETURN count(o)") != [[1]]:
                        failures.append(key)
        connection.close()

    threads = [threading.Thread(target=work, args=(session,)) for session in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == [] and graph.rows("MATCH (o:orders {status: 'busy'}) RETURN count(o)") == [[120]]


def test_a_wait_holds_no_lock_is_seen_and_can_be_cancelled(orders, graph):
    orders.execute("SELECT autosync.pause('graph')")
    connection = orders.connect()
    pid = connection.get_backend_pid()
    returned = threading.Event()

    def commit():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orders SET status = 'cancelled' WHERE id = 2")
        connection.commit()
        returned.set()

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        wait_until_waiting(orders, pid)
        assert orders.value("SELECT status FROM orders WHERE id = 2") == "cancelled"  # everybody else sees it
        assert orders.value("SELECT count(*) FROM pg_locks WHERE pid = %s AND locktype <> 'virtualxid'", pid) == 0
        assert orders.value("SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE pid = %s", pid)
        assert not returned.is_set()
        orders.execute("SELECT pg_cancel_backend(%s)", pid)
        assert returned.wait(60)
    finally:
        orders.execute("SELECT autosync.resume('graph')")
        thread.join(30)
    assert any("canceling wait for delivery due to user request" in notice for notice in connection.notices)
    connection.close()
    orders.wait_delivered()
    assert graph.rows("MATCH (o:orders {id: 2}) RETURN o.status") == [["cancelled"]]


def test_a_target_that_comes_back_lets_go_of_those_who_wait(orders, graph):
    orders.execute("SELECT autosync.pause('graph')")
    done = threading.Event()
    connection = orders.connect()
    pid = connection.get_backend_pid()

    def commit():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orders SET status = 'late' WHERE id = 3")
        connection.commit()
        connection.close()
        done.set()

    thread = threading.Thread(target=commit)
    thread.start()
    wait_until_waiting(orders, pid)
    time.sleep(1)
    assert not done.is_set()
    orders.execute("SELECT autosync.resume('graph')")
    assert done.wait(60)
    thread.join()
    assert graph.rows("MATCH (o:orders {id: 3}) RETURN o.status") == [["late"]]
