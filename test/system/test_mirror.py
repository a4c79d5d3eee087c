"""A mirror in the embedded target against hostile writers: whatever is done to the tables, to the worker and to the server, in the end the newest
delivery of every key is PostgreSQL's row, and no key ever went back in time. Each seed draws other changes.
AUTOSYNC_STORM_SECONDS: how long each storm lasts (6), AUTOSYNC_STORM_SEEDS: how many of each kind (1), AUTOSYNC_STORM_FIRST: the first seed."""
import contextlib
import os
import pathlib
import random
import re
import threading
import time

import psycopg2
import pytest

from patience import until

SECONDS = float(os.environ.get("AUTOSYNC_STORM_SECONDS", 6))
FIRST = int(os.environ.get("AUTOSYNC_STORM_FIRST", 1))
SEEDS = range(FIRST, FIRST + int(os.environ.get("AUTOSYNC_STORM_SEEDS", 1)))
WRITERS = 6
KEYS = 60

TABLES = """
CREATE TABLE plain (id int PRIMARY KEY, a int, b text);
CREATE TABLE child (id int PRIMARY KEY, plain_id int REFERENCES plain ON DELETE CASCADE ON UPDATE CASCADE, v text);
CREATE TABLE pair (x int, y text, v int, PRIMARY KEY (y, x));
CREATE TABLE swaps (id int PRIMARY KEY DEFERRABLE, v int);
CREATE TABLE parts (id int, slot int, v text, PRIMARY KEY (id, slot)) PARTITION BY LIST (slot);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
CREATE TABLE ledger (id bigint PRIMARY KEY);
"""
KEY_TEXT = {
    "plain": "id::text", "child": "id::text", "swaps": "id::text", "ledger": "id::text",
    "pair": """format('{"y": %%s, "x": %%s}', to_json(y), x)""",
    "parts": """format('{"id": %%s, "slot": %%s}', id, slot)""",
}
# What PostgreSQL may refuse for reasons of its own; everything else that reaches a writer is a defect.
EXPECTED = ("23", "40", "55P03", "55006", "57P0", "42703", "42P16", "08", "25P02")


class Hostile(threading.Thread):
    """One session that does its worst until told to stop."""

    def __init__(self, database, seed, number):
        super().__init__(daemon=True)
        self.database = database
        self.random = random.Random(seed * 1000 + number)
        self.ids = iter(range((seed * 100 + number) * 1_000_000, 1 << 60))
        self.name = "storm_%d_%d" % (seed, number)
        self.stopping = threading.Event()
        self.acknowledged = []  # kept outside PostgreSQL: these commits were confirmed, and durable
        self.committed = self.refused = 0
        self.defects = []
        self.cursor = None

    def run(self):
        while not self.stopping.is_set():
            try:
                with contextlib.closing(self.database.connect()) as connection, connection.cursor() as self.cursor:
                    # Writers in each other's way find out soon.
                    self.cursor.execute("SET deadlock_timeout = '10ms'; SET lock_timeout = '300ms'")
                    while not self.stopping.is_set():
                        self.transaction()
            except psycopg2.Error as error:
                if self.unexpected(error):
                    self.defects.append(repr(error))
                time.sleep(0.05)  # the server is away

    @staticmethod
    def unexpected(error):
        return error.pgcode is not None and not error.pgcode.startswith(EXPECTED)

    def transaction(self):
        draw = self.random
        durable = draw.random() < 0.5
        number = next(self.ids)
        try:
            self.cursor.execute("BEGIN; SET LOCAL synchronous_commit = %s; INSERT INTO ledger VALUES (%d)" % ("on" if durable else "off", number))
            for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
                self.step(draw.choice((0, 0, 0, 1, 2)))
            if draw.random() < 0.03:
                time.sleep(draw.random())
            self.end(draw.random())
            self.committed += 1
            if durable:
                self.acknowledged.append(number)
        except psycopg2.Error as error:
            if self.cursor.connection.closed:
                raise
            self.cursor.execute("ROLLBACK")
            self.refused += 1
            if self.unexpected(error):
                self.defects.append(repr(error))
        except Undone:
            self.refused += 1

    def end(self, fate):
        if fate < 0.1:
            self.cursor.execute("ROLLBACK")
            raise Undone
        if fate < 0.2:
            name = "%s_%d" % (self.name, self.random.randrange(1 << 40))
            self.cursor.execute("PREPARE TRANSACTION '%s'" % name)
            if self.random.random() < 0.3:
                time.sleep(self.random.random() / 2)
            undo = self.random.random() < 0.3
            self.cursor.execute("%s PREPARED '%s'" % ("ROLLBACK" if undo else "COMMIT", name))
            if undo:
                raise Undone
            return
        self.cursor.execute("COMMIT")

    def step(self, depth):
        """A change, below savepoints of which some are undone."""
        if depth == 0:
            self.change()
            return
        name = "s%d" % depth
        self.cursor.execute("SAVEPOINT " + name)
        try:
            for _ in range(self.random.choice((1, 2, 3))):
                self.step(depth - 1)
            if self.random.random() < 0.4:
                self.cursor.execute("ROLLBACK TO " + name)
            if self.random.random() < 0.7:
                self.cursor.execute("RELEASE " + name)
        except psycopg2.errors.UniqueViolation:
            self.cursor.execute("ROLLBACK TO " + name)

    def change(self):
        draw = self.random
        one, other, value = draw.randrange(KEYS), draw.randrange(KEYS), draw.randrange(100_000)
        slot, aside = draw.randrange(4), KEYS + draw.randrange(1 << 28)
        self.cursor.execute(draw.choice((
            "INSERT INTO plain VALUES ({one}, {value}, 'b{value}') ON CONFLICT (id) DO UPDATE SET a = excluded.a",
            "INSERT INTO plain VALUES ({one}, {value}) ON CONFLICT DO NOTHING",
            "UPDATE plain SET b = 'u{value}' WHERE id = {one}",
            "UPDATE plain SET b = b WHERE id = {one}",
            "DELETE FROM plain WHERE id = {one}",
            "UPDATE plain SET id = {aside} WHERE id = {one}",
            "UPDATE plain SET id = {aside} WHERE id = {one}; UPDATE plain SET id = {one} WHERE id = {other}; UPDATE plain SET id = {other} WHERE id = {aside}",
            "DELETE FROM plain WHERE id = {one}; INSERT INTO plain VALUES ({one}, {value}, 'again')",
            "UPDATE plain SET a = a + 1 WHERE id % 7 = {slot}",
            "INSERT INTO child VALUES ({one}, (SELECT min(id) FROM plain WHERE id >= {other}), 'c{value}') ON CONFLICT (id) DO UPDATE SET v = excluded.v",
            "UPDATE child SET id = {aside} WHERE id = {one}",
            "DELETE FROM child WHERE id = {one}",
            "INSERT INTO pair VALUES ({one}, 'ä\"{slot}', {value}) ON CONFLICT (y, x) DO UPDATE SET v = excluded.v",
            "UPDATE pair SET x = {aside}, v = {value} WHERE x = {one}",
            "DELETE FROM pair WHERE x = {one} AND y LIKE '%{slot}'",
            "INSERT INTO swaps SELECT {one}, {value} WHERE NOT EXISTS (SELECT FROM swaps WHERE id = {one})",
            "UPDATE swaps SET id = CASE id WHEN {one} THEN {other} ELSE {one} END WHERE id IN ({one}, {other})",
            "UPDATE swaps SET v = v + 1 WHERE id BETWEEN {one} AND {other}",
            "DELETE FROM swaps WHERE id = {one}",
            "INSERT INTO parts VALUES ({one}, {slot}, 'p{value}') ON CONFLICT (id, slot) DO UPDATE SET v = excluded.v",
            "UPDATE parts SET slot = {slot}, v = 'm{value}' WHERE id = {one} AND slot = (SELECT min(slot) FROM parts WHERE id = {one})",
            "MERGE INTO parts t USING (SELECT {one} AS id, {slot} AS slot) s ON t.id = s.id AND t.slot = s.slot"
            " WHEN MATCHED AND t.id % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET slot = (t.slot + 1) % 4 WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.slot, 'g')",
            "DELETE FROM parts WHERE id = {one}",
            "DO $$ BEGIN INSERT INTO plain VALUES ({one}, {value}); RAISE division_by_zero; EXCEPTION WHEN others THEN UPDATE plain SET a = {value} WHERE id = {one}; END $$",
            self.rarely("TRUNCATE swaps"), self.rarely("TRUNCATE parts_1"), self.rarely("TRUNCATE pair"), self.rarely("TRUNCATE plain, child"),
            self.rarely("INSERT INTO plain SELECT g, {value}, repeat('x', 50) FROM generate_series(1, 3000) g ON CONFLICT (id) DO UPDATE SET b = excluded.b"),
            self.rarely("DELETE FROM plain WHERE id >= {one}"),
        )).format(one=one, other=other, value=value, slot=slot, aside=aside))

    def rarely(self, statement):
        return statement if self.random.random() < 0.15 else "SELECT 1"


class Undone(Exception):
    """Not committed, by our own will."""


class Disturber(threading.Thread):
    """Does one of `acts` every now and then."""

    def __init__(self, database, seed, acts):
        super().__init__(daemon=True)
        self.database = database
        self.random = random.Random(seed)
        self.acts = acts
        self.stopping = threading.Event()
        self.done = []
        self.defects = []

    def run(self):
        with contextlib.closing(self.database.connect()) as connection, connection.cursor() as cursor:
            while not self.stopping.wait(self.random.random() * 0.6):
                act = self.random.choice(self.acts)
                try:
                    self.act(cursor, act)
                    self.done.append(act)
                except psycopg2.Error as error:
                    cursor.execute("ROLLBACK")
                    if not error.pgcode.startswith(EXPECTED + ("42",)):  # a column that is there already, or no more
                        self.defects.append("%s: %r" % (act, error))

    def act(self, cursor, act):
        for statement in act.format(n=self.random.randrange(4)).split(";"):
            if statement.strip().startswith("sleep"):
                time.sleep(float(statement.split()[1]))
            else:
                cursor.execute(statement)


TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = current_database()"
DDL = [
    "ALTER TABLE plain ADD COLUMN c{n} int DEFAULT {n}",
    "ALTER TABLE plain DROP COLUMN IF EXISTS c{n}",
    "ALTER TABLE plain ALTER a TYPE bigint USING (a % 1000000) + 1",
    "ALTER TABLE plain ALTER a TYPE int USING (a % 1000000) - 1",
    "ALTER TABLE pair ADD COLUMN g{n} int GENERATED ALWAYS AS (x % 100 + {n}) STORED",
    "ALTER TABLE pair DROP COLUMN IF EXISTS g{n}",
    "ALTER TABLE pair RENAME v TO w; sleep 0.1; ALTER TABLE pair RENAME w TO v",
    "BEGIN; ALTER TABLE parts DETACH PARTITION parts_1; UPDATE parts_1 SET v = 'apart'; ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1); COMMIT",
    "ALTER TABLE parts DETACH PARTITION parts_0; sleep 0.2; DELETE FROM parts WHERE slot = 0; ALTER TABLE parts ATTACH PARTITION parts_0 FOR VALUES IN (0)",
    "VACUUM FULL plain", "VACUUM FULL pair", "CLUSTER child USING child_pkey", "REINDEX TABLE plain", "REINDEX TABLE parts",
    "BEGIN; LOCK TABLE plain; sleep 2; COMMIT", "BEGIN; LOCK TABLE parts_0; sleep 0.5; COMMIT", "BEGIN; TRUNCATE swaps; sleep 0.3; ROLLBACK",
    "ANALYZE", "VACUUM",
]
UNHEARD = "SET LOCAL autosync.enabled = off; TRUNCATE %s; SET LOCAL autosync.enabled = on"
FILES = [  # new ones under a table: some are no reason to look at its rows, some are the only trace of what has become of them
    "VACUUM FULL swaps", "VACUUM FULL parts_0", "CLUSTER pair USING pair_pkey", "VACUUM FULL pair", "VACUUM FULL plain, child", "TRUNCATE swaps, pair",
    "BEGIN; TRUNCATE pair; CLUSTER pair USING pair_pkey; COMMIT", "BEGIN; TRUNCATE parts; CLUSTER parts_0 USING parts_0_pkey; COMMIT",
    "BEGIN; %s; COMMIT" % UNHEARD % "swaps", "BEGIN; %s; CLUSTER pair USING pair_pkey; COMMIT; VACUUM FULL pair" % UNHEARD % "pair",
    "BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE pair; COMMIT", "TRUNCATE parts_1; VACUUM FULL parts_1",
    "BEGIN; TRUNCATE swaps; SAVEPOINT s; %s; ROLLBACK TO s; COMMIT" % UNHEARD % "swaps", "BEGIN; SAVEPOINT s; TRUNCATE swaps; ROLLBACK TO s; %s; COMMIT" % UNHEARD % "swaps",
    "VACUUM FULL pair; ALTER TABLE pair ALTER v TYPE int USING (v + 1) % 1000; CLUSTER pair USING pair_pkey", "ALTER TABLE swaps ALTER v TYPE int USING (v + 1) % 1000",
]


def committed(writers):
    return sum(writer.committed for writer in writers)


@contextlib.contextmanager
def storm(database, seed, acts=()):
    writers = [Hostile(database, seed, number) for number in range(WRITERS)]
    disturbers = [Disturber(database, seed, acts)] if acts else []
    for thread in writers + disturbers:
        thread.start()
    try:
        yield writers, disturbers
    finally:
        for thread in writers + disturbers:
            thread.stopping.set()
        for thread in writers + disturbers:
            thread.join()
    print("seed %d: %d committed, %d undone or refused, disturbances: %s" %
          (seed, committed(writers), sum(w.refused for w in writers), [d.done for d in disturbers]))
    assert [defect for thread in writers + disturbers for defect in thread.defects] == []
    assert committed(writers) > 10


def differences(database):
    """Tables against mirror, both as they are at one moment."""
    found = []
    for table, key in KEY_TEXT.items():
        found += database.execute(
            "WITH newest AS (SELECT DISTINCT ON (key) key, operation, document FROM autosync.sent WHERE source = %s ORDER BY key, sent_id DESC),"
            " held AS (SELECT key, document FROM newest WHERE operation = 'upsert'),"
            f" expected AS (SELECT {key} AS key, to_jsonb(t) AS document FROM {table} AS t)"
            " SELECT %s, key, e.document::text, h.document::text FROM expected AS e FULL JOIN held AS h USING (key) WHERE e.document IS DISTINCT FROM h.document LIMIT 5",
            "public." + table, table)
    return found


def state(database, difference):
    """What helps to find out why a key is not as it should be."""
    table, key = difference[:2]
    questions = (("SELECT row_to_json(s)::text FROM autosync.sent s WHERE source = 'public.' || %s AND key = %s ORDER BY sent_id DESC LIMIT 5", table, key),
                 ("SELECT row_to_json(j)::text FROM autosync.jobs j",), ("SELECT row_to_json(s)::text FROM autosync.sync_state s WHERE source = %s::regclass", table),
                 ("SELECT row_to_json(c)::text FROM (SELECT * FROM autosync.cursor_0 UNION ALL SELECT * FROM autosync.cursor_1 ORDER BY seq DESC LIMIT 5) c",),
                 ("SELECT xmin, xmax, ctid, pg_relation_filenode(%s::regclass) FROM " + table + " AS t WHERE " + KEY_TEXT[table] + " = %s", table, key))
    return "\n".join(map(str, (line for question in questions for line in database.execute(*question))))


def check(database, seed, timeout=30):
    database.wait_delivered("mirror", timeout=120)
    deadline = time.monotonic() + timeout
    # What DDL has changed is noticed by the worker: no commit of rows stands behind it.
    while (found := differences(database)) and time.monotonic() < deadline:
        time.sleep(0.3)
    assert found == [], "seed %d\n%s" % (seed, state(database, found[0]))
    assert database.execute("SELECT * FROM autosync.failed_events") == []
    assert database.execute("SELECT * FROM (SELECT source, key, version, lag(version) OVER (PARTITION BY source, key ORDER BY sent_id) AS before"
                            " FROM autosync.sent) AS s WHERE version < before") == [], "seed %d" % seed


@pytest.fixture(scope="module")
def log(server):
    """What the server's log says from now on."""
    path = pathlib.Path(server.environment["PGHOST"]) / "server.log"
    begin = path.stat().st_size

    def lines(pattern):
        nonlocal begin
        with path.open("rb") as file:
            file.seek(begin)
            text = file.read().decode(errors="replace")
        begin += len(text.encode())
        return [line for line in text.splitlines() if re.search(pattern, line)]

    return lines


@pytest.fixture(scope="module")
def mirror(database):
    database.execute(TABLES)
    database.execute("CREATE SERVER mirror FOREIGN DATA WRAPPER autosync_test")
    database.execute("SELECT autosync.adopt_database()")
    for table in KEY_TEXT:
        database.execute("SELECT autosync.add_sync(%s::regclass, 'mirror')", table)
    database.wait_delivered("mirror")
    return database


TROUBLE = r"interrupted|autosync worker of database|terminated by signal|PANIC|TRAP|exited with exit code 1"


@pytest.mark.parametrize("seed", SEEDS)
def test_hostile_writers(mirror, log, seed):
    with storm(mirror, seed):
        time.sleep(SECONDS)
    check(mirror, seed)
    assert log(TROUBLE) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_worker_terminated(mirror, log, seed):
    with storm(mirror, 1000 + seed, [TERMINATE]):
        time.sleep(SECONDS)
    check(mirror, seed)
    assert [line for line in log(TROUBLE) if "exited with exit code 1" not in line] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_tables_changed_in_between(mirror, log, seed):
    with storm(mirror, 2000 + seed, DDL):
        time.sleep(SECONDS * 2)
    check(mirror, seed)
    assert log(TROUBLE) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_files_changed_in_between(mirror, log, seed):
    with storm(mirror, 4000 + seed, FILES) as (_, disturbers):
        time.sleep(SECONDS * 2)
        until(lambda: len(disturbers[0].done) > SECONDS, "the tables get new files", 120)
    check(mirror, seed)
    assert disturbers[0].defects == []
    assert log(TROUBLE) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_server_killed(mirror, server, seed):
    for crash in range(5):
        with storm(mirror, 3000 + seed * 10 + crash) as (writers, _):
            time.sleep(SECONDS / 4 + random.Random(seed).random())
            until(lambda: committed(writers) > 10, "there is something to lose", 120)
            if crash % 2:
                server.kill()
            else:
                server.stop("immediate")
            for writer in writers:
                writer.stopping.set()
            for writer in writers:
                writer.join()
            acknowledged = {number for writer in writers for number in writer.acknowledged}
            server.start()
            mirror.connection = None
        # A transaction prepared before the crash is still there.
        for (name,) in mirror.execute("SELECT gid FROM pg_prepared_xacts"):
            mirror.execute("%s PREPARED '%s'" % (random.Random(seed).choice(("COMMIT", "ROLLBACK")), name))
        kept = {number for (number,) in mirror.execute("SELECT id FROM ledger")}
        lost = acknowledged - kept
        assert lost == set(), "commits that PostgreSQL confirmed"
        check(mirror, seed)
