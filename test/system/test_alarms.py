"""What tells an operator by itself that something is late or large; and how the databases of a cluster are doing, seen from any of them."""
import json
import select
import time

import psycopg2.extensions


def heard(connection, wanted, timeout=60):
    """Notifications until as many have come. Where a look takes long, the next one is later."""
    deadline = time.monotonic() + timeout
    while len(connection.notifies) < wanted:
        assert time.monotonic() < deadline, "notifications: %s" % connection.notifies
        select.select([connection], [], [], 0.2)
        connection.poll()
    return [json.loads(notify.payload) for notify in connection.notifies]


def test_lag_is_told_when_it_begins_and_when_it_is_over(database, server):
    database.execute("CREATE SERVER mirror FOREIGN DATA WRAPPER autosync_test; SELECT autosync.adopt_database()")
    database.execute("""CREATE TABLE things (id int PRIMARY KEY); SELECT autosync.add_sync('things', 'mirror', '{"max_lag": "100ms"}');""")
    database.execute("ALTER DATABASE \"%s\" SET autosync.outbox_warn_size = '8kB'" % database.name)
    listener = database.connect()
    listener.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_AUTOCOMMIT)
    with listener.cursor() as cursor:
        cursor.execute("LISTEN autosync")
    database.execute("SELECT autosync.pause('mirror')")
    database.execute("INSERT INTO things SELECT generate_series(1, 1000)")
    exceeded, = heard(listener, 1)
    assert exceeded.pop("oldest_pending")
    assert exceeded == {"event": "lag_exceeded", "target": "mirror", "source": "public.things", "max_lag_ms": 100}
    database.execute("SELECT autosync.resume('mirror')")
    assert heard(listener, 2)[1] == {"event": "lag_recovered", "target": "mirror", "source": "public.things", "max_lag_ms": 100, "oldest_pending": None}
    # The next that is told is the next lag. What is not paused may lag as well, on a machine that is busy.
    database.execute("SELECT autosync.pause('mirror')")
    database.execute("INSERT INTO things VALUES (0)")
    assert [event["event"] for event in heard(listener, 3)] == ["lag_exceeded", "lag_recovered", "lag_exceeded"], "told once each"
    database.execute("SELECT autosync.resume('mirror')")
    database.wait_delivered("mirror")
    log = open(server.environment["PGHOST"] + "/server.log", encoding="utf-8").read()
    assert 'table public.things lags behind at target "mirror"' in log
    assert "more than autosync.outbox_warn_size" in log
    listener.close()


def test_the_cluster_is_seen_from_any_database(database, server):
    with server.connect("postgres").cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS alarms_elsewhere WITH (FORCE)")
        cursor.execute("CREATE DATABASE alarms_elsewhere")
    elsewhere = server.connect("alarms_elsewhere")
    look = "SELECT state, pending, oldest_pending_time IS NOT NULL, last_error, counted_at IS NOT NULL FROM autosync.stat_cluster WHERE datname = %s AND target = 'mirror'"
    with elsewhere.cursor() as cursor:
        cursor.execute("CREATE EXTENSION autosync")

        def until(expected):
            deadline = time.monotonic() + 120  # where counting takes long, it rests for longer
            while True:
                cursor.execute(look, (database.name,))
                seen = cursor.fetchall()
                if seen == expected:
                    return
                assert time.monotonic() < deadline, seen
                time.sleep(0.05)

        until([("active", 0, False, None, True)])
        database.execute("SELECT autosync.pause('mirror')")
        database.execute("DELETE FROM things WHERE id > 990")
        until([("paused", 10, True, None, True)])
        database.execute("SELECT autosync.resume('mirror')")
        database.wait_delivered("mirror")
        until([("active", 0, False, None, True)])
    # The bars are those of the same figures, and what was measured goes back to nothing.
    database.execute("SELECT autosync.pause('mirror'); INSERT INTO things SELECT generate_series(2000, 3000)")
    deadline = time.monotonic() + 60
    while not (lag := database.value("SELECT lag FROM autosync.stat_glance WHERE target = 'mirror' AND pending = 1001")).startswith("#"):
        assert time.monotonic() < deadline, lag  # it grows while nobody delivers
    assert lag[:20].strip(".").strip("#") == "" and lag.endswith(" s")
    database.execute("SELECT autosync.resume('mirror')")
    deadline = time.monotonic() + 60
    added = 3000
    while database.value("SELECT max(events_per_second) FROM autosync.stat_workers") < 1:
        assert time.monotonic() < deadline
        added += 1
        database.execute("INSERT INTO things VALUES (%s)", added)  # the figure is that of the last look: of one that was missed nothing is left
        time.sleep(0.05)
    while database.execute("SELECT lag, throughput FROM autosync.stat_glance WHERE target = 'mirror'") != [("." * 20, "." * 20)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    elsewhere.close()
    with server.connect("postgres").cursor() as cursor:
        cursor.execute("DROP DATABASE alarms_elsewhere WITH (FORCE)")
