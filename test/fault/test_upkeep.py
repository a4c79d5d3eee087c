"""What the worker leaves behind, and what it holds on to, however much has passed."""
import contextlib
import time

from oracle import differences


def worker(database):
    return database.value("SELECT pid FROM autosync.stat_workers WHERE datname = current_database()")


def test_F31_the_records_of_what_was_delivered_are_tidied_up(things, graph):
    """The worker appends one per round, and begins a new table after 5,000 looks."""
    pid = worker(things)
    deadline = time.monotonic() + 120
    turned = False
    with contextlib.closing(things.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        while not turned:
            assert time.monotonic() < deadline, "no table of cursors was emptied"
            for number in range(500):
                cursor.execute("INSERT INTO things VALUES (%s, 1) ON CONFLICT (id) DO UPDATE SET seq = things.seq + 1", (number % 50,))
            cursor.execute("SELECT pg_relation_size('autosync.cursor_0') = 0 AND pg_relation_size('autosync.cursor_1') > 0")
            turned = cursor.fetchone()[0]
    things.wait_delivered()
    assert differences(things, graph) == {}
    assert worker(things) == pid, "the worker did not live through it"
