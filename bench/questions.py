"""What an operator asks of event_log, when there are a million events in it."""
import time

from machine import add_sync, one, session, wait_delivered

EVENTS = 1_000_000
PENDING = 100_000
FAILED = 1_000
RUNS = 3

QUESTIONS = {
    "pending, by target and table": "SELECT target, source, count(*), min(created_at) FROM autosync.event_log WHERE status = 'PENDING' GROUP BY 1, 2",
    "failed, with their last error": "SELECT event_id, target, source, entity_id, last_error, updated_at FROM autosync.event_log WHERE status = 'FAILED' ORDER BY updated_at DESC",
    "average time from created to completed, by type":
        "SELECT event_type, count(*), avg(completed_at - created_at) FROM autosync.event_log WHERE status = 'COMPLETED' GROUP BY 1",
    "how many there are of each status": "SELECT status, count(*) FROM autosync.event_log GROUP BY 1",
    "one entity's state": "SELECT * FROM autosync.sync_status WHERE source = 'public.asked' AND key = '4711' AND target = 'desk'",
}


def prepare(connection):
    one(connection, "SELECT autosync.add_target('desk', 'test://', '{\"fail\": \"bad\", \"max_attempts\": \"1\"}')")
    one(connection, "CREATE TABLE asked (id int PRIMARY KEY, v text)")
    add_sync(connection, "asked", "desk", "{}")
    one(connection, "INSERT INTO asked SELECT i, CASE WHEN i <= %s THEN 'bad' ELSE 'good' END FROM generate_series(1, %s) AS i", FAILED, EVENTS - PENDING)
    while one(connection, "SELECT pending + retrying FROM autosync.stat_targets WHERE target = 'desk'") > 0:
        time.sleep(0.2)
    one(connection, "SELECT autosync.pause('desk')")
    one(connection, "UPDATE asked SET v = 'better' WHERE id > %s AND id <= %s", FAILED, FAILED + PENDING)
    time.sleep(2)  # the worker looks at what it keeps once a second


def seconds(connection, question):
    """The best of some runs, all rows fetched."""
    times = []
    for _ in range(RUNS):
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(question)
            cursor.fetchall()
        times.append(time.monotonic() - began)
    return min(times)


def measure(report):
    with session() as connection:
        prepare(connection)
        found = dict(pairs(connection, "SELECT status, count(*) FROM autosync.event_log WHERE target = 'desk' GROUP BY 1"))
        if sum(found.values()) != EVENTS or found["PENDING"] != PENDING or found["FAILED"] != FAILED:
            raise RuntimeError(f"not the events that were meant: {found}")
        for number, (name, question) in enumerate(QUESTIONS.items()):
            what = "a million events in the log (899,000 delivered, 100,000 pending, 1,000 failed): " if number == 0 else "— "
            report.add(what + name, "≤ 1 s", {"autosync": f"{seconds(connection, question):.2f} s"})
        one(connection, "SELECT autosync.drop_sync('asked', 'desk')")


def pairs(connection, question):
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchall()
