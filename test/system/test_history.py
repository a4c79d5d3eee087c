"""A target that keeps history is told of every event, per entity in the order of commits, whatever comes in between."""
import random
import threading

import psycopg2
import pytest

from patience import until
from test_crash import alive

KEYS = 12
WRITERS = 4


@pytest.fixture
def steps(database):
    """Each event raises n of its entity by one: a journal is complete and in order when n counts up from 1."""
    database.execute("CREATE SERVER IF NOT EXISTS journal FOREIGN DATA WRAPPER autosync_test OPTIONS (retry_initial_delay '50ms', retry_max_delay '100ms', max_attempts '1000')")
    database.execute("SELECT autosync.adopt_database()")
    database.execute("DROP TABLE IF EXISTS steps, counters")
    database.execute("CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)")
    database.execute("CREATE TABLE steps (id int PRIMARY KEY, n int NOT NULL, pad text)")
    database.execute("INSERT INTO counters SELECT i, 0 FROM generate_series(1, %s) AS i", KEYS)
    database.execute("SELECT autosync.add_sync('steps', 'journal', '{\"capture\": \"row\"}', backfill => false)")
    database.wait_delivered("journal")
    yield database
    alive(database)
    database.execute("DROP TABLE steps, counters")
    database.execute("DELETE FROM autosync.sent")


def change(cursor, rng, key):
    """One change of one row, counted, or what an application says of it."""
    cursor.execute("UPDATE counters SET n = n + 1 WHERE id = %s RETURNING n", (key,))
    number = cursor.fetchone()[0]
    if rng.random() < 0.3:
        cursor.execute("SELECT autosync.emit('STEP', 'steps', %s, jsonb_build_object('n', %s))", (str(key), number))
        return
    cursor.execute("UPDATE steps SET n = %s WHERE id = %s", (number, key))
    if cursor.rowcount == 0:
        cursor.execute("INSERT INTO steps VALUES (%s, %s, repeat('x', %s))", (key, number, rng.choice([1, 500])))


def write(connect, rng, stop):
    """Transactions of some changes each; keys in order, so that no two wait for each other."""
    connection = None
    while not stop.is_set():
        try:
            if connection is None:
                connection = connect()
                connection.autocommit = False
            with connection.cursor() as cursor:
                for key in sorted(rng.sample(range(1, KEYS + 1), rng.randint(1, 4))):
                    if rng.random() < 0.2:
                        cursor.execute("SAVEPOINT s")
                        change(cursor, rng, key)
                        cursor.execute("ROLLBACK TO s")
                    change(cursor, rng, key)
                    if rng.random() < 0.2:
                        change(cursor, rng, key)
                if rng.random() < 0.1:
                    cursor.execute("SELECT pg_sleep(0.02)")
            connection.commit() if rng.random() < 0.9 else connection.rollback()
        except psycopg2.Error:
            connection = None
    if connection is not None:
        connection.close()


def journal(database):
    """{key: numbers in the order in which they were told first}"""
    told = {}
    for key, number in database.execute("SELECT key, n FROM (SELECT DISTINCT ON (event_id) key::int, (document ->> 'n')::int AS n, sent_id FROM autosync.sent"
                                        " WHERE event_id IS NOT NULL ORDER BY event_id, sent_id) AS s ORDER BY sent_id"):
        told.setdefault(key, []).append(number)
    return told


@pytest.mark.parametrize("how", ["quiet", "refused", "worker", "kill"])
def test_every_event_in_order(steps, server, how):
    rng = random.Random(how)
    stop = threading.Event()
    writers = [threading.Thread(target=write, args=(steps.connect, random.Random(i), stop)) for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(3):
            before = steps.value("SELECT count(*) FROM autosync.sent")
            until(lambda: steps.value("SELECT count(*) FROM autosync.sent") > before + 100, "events are told")
            if how == "refused":
                steps.execute("ALTER SERVER journal OPTIONS (%s fail '^(%d|%d)$')" % ("ADD" if _ == 0 else "SET", rng.randint(1, KEYS), rng.randint(1, KEYS)))
            elif how == "worker":
                steps.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = current_database()")
            elif how == "kill":
                server.kill()
                server.start()
                alive(steps)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    if how == "refused":
        steps.execute("ALTER SERVER journal OPTIONS (DROP fail)")
    steps.wait_delivered("journal")
    told = journal(steps)
    expected = {key: list(range(1, number + 1)) for key, number in steps.execute("SELECT id, n FROM counters WHERE n > 0")}
    assert {key: numbers for key, numbers in told.items() if numbers != expected.get(key)} == {}
    assert told.keys() == expected.keys()
    assert steps.value("SELECT count(*) FROM autosync.behind") == 0


def test_a_transaction_written_in_pieces_takes_its_place_when_it_commits(steps):
    """It began first, is larger than what is kept in memory, and changes a row before others do."""
    first, second = steps.connect(), steps.connect()
    first.autocommit = second.autocommit = False
    with first.cursor() as early, second.cursor() as late:
        early.execute("SELECT pg_current_xact_id()")
        late.execute("INSERT INTO steps VALUES (1, 1)")
        second.commit()
        early.execute("INSERT INTO steps SELECT i, 0, repeat('y', 2000) FROM generate_series(1000, 3000) AS i")
        early.execute("UPDATE steps SET n = 2 WHERE id = 1")
        early.execute("SAVEPOINT s")
        early.execute("INSERT INTO steps SELECT i, 0, repeat('y', 2000) FROM generate_series(4000, 6000) AS i")
        early.execute("ROLLBACK TO s")
        first.commit()
        late.execute("UPDATE steps SET n = 3 WHERE id = 1")
        second.commit()
    steps.wait_delivered("journal")
    told = journal(steps)
    assert told[1] == [1, 2, 3]
    assert len(told) == 2002
    first.close()
    second.close()
