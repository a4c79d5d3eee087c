"""What the worker leaves behind, and what it holds on to, however much has passed."""
import contextlib
import pathlib
import time

from oracle import Stamper, differences, forgotten


def worker(database):
    return database.value("SELECT pid FROM autosync.stat_workers WHERE datname = current_database()")


def test_F31_the_records_of_what_was_delivered_are_tidied_up(things, graph):
    """The worker appends one per round, and begins a new table after 5,000 looks."""
    pid = worker(things)
    deadline = time.monotonic() + 400
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


def test_F12_seventy_thousand_subtransactions(things, graph):
    """More than a backend keeps in its place in shared memory; only those that survive arrive."""
    things.execute("DO $$ BEGIN FOR i IN 1..70000 LOOP BEGIN INSERT INTO things VALUES (3000000 + i, i); IF i % 2 = 0 THEN RAISE division_by_zero; END IF;"
                   " EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$")
    things.wait_delivered()
    assert differences(things, graph) == {}
    assert sum(1 for key in graph.held() if int(key) > 3_000_000) == 35_000
    things.execute("DELETE FROM things WHERE id > 3000000")


def test_F25_a_hundred_megabytes(things, graph):
    """The user's transaction does not fail for it; it arrives, or is parked with a reason, and nobody else waits."""
    pid = worker(things)
    things.execute("INSERT INTO things VALUES (-9, 1, repeat('x', 100 << 20)), (-10, 1, NULL)")
    things.wait_delivered()
    assert graph.held()["-10"] == 1
    parked = things.execute("SELECT last_error FROM autosync.failed_events WHERE entity_id = '-9'")
    assert graph.held().get("-9") == 1 or (parked and parked[0][0])
    assert worker(things) == pid
    things.execute("DELETE FROM things WHERE id = -9")
    things.wait_delivered()
    assert differences(things, graph) == {}


def test_F18_the_extension_is_updated_under_a_worker_that_runs(things, graph, server):
    """Ours of a release to come: its objects are there while the library, the worker and open sessions are still the old ones."""
    folder = things.value("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'")
    script = pathlib.Path(folder) / "extension" / ("autosync--%s--99.0.sql" % things.value("SELECT extversion FROM pg_extension WHERE extname = 'autosync'"))
    script.write_text("""ALTER TABLE autosync.exceptions ADD COLUMN novelty text;
        ALTER TABLE autosync.jobs ADD COLUMN novelty int NOT NULL DEFAULT 7;
        CREATE FUNCTION autosync.novelty() RETURNS text LANGUAGE sql RETURN '99.0';""")
    writer = Stamper(things, 7, 7, pause=0.002)
    writer.start()
    try:
        time.sleep(0.3)
        things.execute("ALTER EXTENSION autosync UPDATE TO '99.0'")
        things.execute("SELECT autosync.backfill('things')")
        time.sleep(0.7)
    finally:
        writer.stopping.set()
        writer.join()
        script.unlink()
    things.wait_delivered()
    assert things.value("SELECT extversion FROM pg_extension WHERE extname = 'autosync'") == "99.0"
    assert differences(things, graph) == {} and forgotten(things, [writer]) == {} and writer.disturbed == []
    assert graph.journal.inversions == 0 and server.crashes() == []
    assert things.value("SELECT count(*) FROM autosync.health() WHERE status = 'fail'") == 0
