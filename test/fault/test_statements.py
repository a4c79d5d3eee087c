"""Statements that nobody would write, and DDL, while others write: on a server that watches itself (make check-assert)."""
import os
import random
import re
import shutil
import subprocess
import threading
import time

import psycopg2
import pytest

from crashes import back
from oracle import Stamper, differences, forgotten
from servers import script

SECONDS = int(os.environ.get("AUTOSYNC_F30_SECONDS", 60))
SEED = int(os.environ.get("AUTOSYNC_FAULT_SEED", 30))
TABLES = """
CREATE ROLE smith LOGIN;
GRANT pg_monitor, pg_read_all_data TO smith;
GRANT ALL ON SCHEMA public TO smith;
GRANT ALL ON DATABASE "%s" TO smith;
CREATE SERVER sink FOREIGN DATA WRAPPER autosync_test OPTIONS (retry_initial_delay '100ms', retry_max_delay '500ms');
GRANT USAGE ON FOREIGN SERVER sink TO smith;
SET ROLE smith;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE makers (id int PRIMARY KEY, name text UNIQUE, mood mood, seen timestamptz DEFAULT now(), notes jsonb, tags text[]);
CREATE TABLE goods (id bigint PRIMARY KEY, maker int REFERENCES makers ON UPDATE CASCADE ON DELETE CASCADE, price numeric, twice numeric GENERATED ALWAYS AS (price * 2) STORED,
    size positive, span int4range, raw bytea);
CREATE TABLE parts (id int, part int, made date, weight float8, PRIMARY KEY (id, part)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (500);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (500) TO (1000);
INSERT INTO makers SELECT i, 'maker ' || i, 'ok' FROM generate_series(1, 100) AS i;
INSERT INTO goods (id, maker, price, size) SELECT i, i %% 100 + 1, i / 7.0, 1 FROM generate_series(1, 300) AS i;
INSERT INTO parts SELECT i, 0, '2026-01-01', i FROM generate_series(0, 999) AS i;
SELECT autosync.add_sync(t, 'sink') FROM unnest('{makers,goods,parts}'::regclass[]) AS t;
RESET ROLE;
"""
PGBENCH = r"""
\set n random(1, 100)
\set m random(1, 2000)
\set k random(1, 8)
UPDATE makers SET seen = now(), notes = jsonb_build_object('n', :n) WHERE id = :n;
INSERT INTO goods (id, maker, price) VALUES (:m, :n, :m / 3.0) ON CONFLICT (id) DO UPDATE SET price = excluded.price;
BEGIN;
UPDATE parts SET id = (id + :m) % 1000, part = part + 1 WHERE id = :m % 1000 AND part < 1000;
SAVEPOINT s;
DELETE FROM goods WHERE id = :m;
\if :k = 1
ROLLBACK TO s;
\endif
\if :k = 2
ROLLBACK;
\else
COMMIT;
\endif
"""
DDL = [
    "ALTER TABLE goods ADD COLUMN extra int DEFAULT 7", "ALTER TABLE goods DROP COLUMN IF EXISTS extra", "ALTER TABLE goods ALTER COLUMN extra TYPE text",
    ("ALTER TABLE makers RENAME COLUMN tags TO labels", "ALTER TABLE makers RENAME COLUMN labels TO tags"),
    ("ALTER TABLE makers RENAME TO smiths", "ALTER TABLE smiths RENAME TO makers"), "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'fine'", "ALTER TABLE parts DETACH PARTITION parts_2",
    "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (500) TO (1000)", "TRUNCATE goods", "TRUNCATE parts, makers CASCADE",
    "INSERT INTO makers SELECT i, 'maker ' || i FROM generate_series(1, 100) AS i ON CONFLICT DO NOTHING",
    "INSERT INTO parts SELECT i, 0 FROM generate_series(0, 999) AS i ON CONFLICT DO NOTHING",
    "SELECT autosync.drop_sync('goods', 'sink')", "SELECT autosync.add_sync('goods', 'sink')", "SELECT autosync.add_sync('goods', 'sink', '{\"filter\": \"price > 3\"}')",
    "SELECT autosync.backfill('parts', 'sink')", "SELECT autosync.alter_sync('makers', 'sink', '{\"mask\": \"name\"}')",
    "ALTER TABLE goods DISABLE TRIGGER USER", "ALTER TABLE goods ENABLE TRIGGER USER", "ALTER TABLE makers DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE makers ENABLE ROW LEVEL SECURITY", "CREATE INDEX ON goods (price)", "ALTER TABLE goods SET UNLOGGED", "ALTER TABLE goods SET LOGGED",
    "CREATE TABLE brief (id int PRIMARY KEY)", "SELECT autosync.add_sync('brief', 'sink')", "INSERT INTO brief SELECT i FROM generate_series(1, 50) AS i ON CONFLICT DO NOTHING",
    "DROP TABLE brief", "VACUUM FULL goods", "ALTER TABLE goods ALTER COLUMN id TYPE int", "ALTER TABLE goods ALTER COLUMN id TYPE bigint",
    ("ALTER TABLE goods DROP CONSTRAINT goods_pkey", "ALTER TABLE goods ADD PRIMARY KEY (id)"), "COMMENT ON TABLE goods IS 'things to be had'",
    "DO $$ BEGIN INSERT INTO makers VALUES (1, 'twice'); EXCEPTION WHEN unique_violation THEN UPDATE makers SET mood = 'sad' WHERE id = 1; END $$",
]


@pytest.fixture(scope="module")
def watched(things, server):
    """A server with assertions, and tables of a role that is no superuser."""
    if things.value("SHOW debug_assertions") != "on":
        pytest.skip("the server has no assertions: make check-assert")
    if shutil.which("sqlsmith") is None:
        pytest.skip("sqlsmith is not installed: scripts/setup assert")
    back(things)
    things.execute(TABLES % things.name)
    yield things
    things.connection = None
    things.execute("DROP SERVER sink CASCADE")
    things.execute("DROP OWNED BY smith CASCADE; DROP ROLE smith")


class Changes(threading.Thread):
    """DDL in any order: much of it does not fit, and is refused."""

    def __init__(self, database, seed):
        super().__init__(daemon=True)
        self.database, self.random = database, random.Random(seed)
        self.done = self.refused = 0
        self.stopping = threading.Event()

    def run(self):
        connection = self.database.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE smith; SET lock_timeout = '2s'")
            while not self.stopping.is_set():
                asked = self.random.choice(DDL)
                for statement in [asked] if isinstance(asked, str) else asked:
                    try:
                        cursor.execute(statement)
                        self.done += 1
                    except psycopg2.Error:
                        if connection.closed:
                            raise
                        self.refused += 1
                time.sleep(0.05)
        connection.close()


def test_F30_random_statements_and_ddl(watched, server, graph, tmp_path):
    """sqlsmith's statements, pgbench and DDL side by side: no assertion fails, no process crashes, and what others write arrives all the same."""
    tmp_path.chmod(0o755)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # the server's user runs pgbench
    transactions = tmp_path / "transactions.sql"
    transactions.write_text(PGBENCH)
    crashes = len(server.crashes())
    before = len(server.log())
    where = server.environment
    writer = Stamper(watched, 5, SEED, pause=0.01)
    ddl = Changes(watched, SEED)
    smith = subprocess.Popen(["sqlsmith", "--verbose", "--exclude-catalog", "--seed=%d" % SEED,
                              "--target=host=%s port=%s dbname=%s user=smith" % (where["PGHOST"], where["PGPORT"], watched.name)],
                             stdout=subprocess.DEVNULL, stderr=(tmp_path / "sqlsmith").open("w"))
    try:
        writer.start()
        ddl.start()
        end, transacted = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:  # a session of it ends with the first error that DDL brings
            said = script("postgres", "run", "sh", "-c", "pgbench -n -c 3 -T 5 --max-tries=100 -U smith -f %s %s 2>&1" % (transactions, watched.name), check=False)
            transacted += sum(map(int, re.findall(r"actually processed: (\d+)", said)))
            time.sleep(0.1)
        assert smith.poll() is None, (tmp_path / "sqlsmith").read_text()[-2000:]
    finally:
        smith.terminate()
        smith.wait()
        for thread in (writer, ddl):
            thread.stopping.set()
            thread.join()
    said = server.log()[before:]
    assert "TRAP:" not in said
    assert server.crashes()[crashes:] == []
    queries = re.findall(r"queries: (\d+)", (tmp_path / "sqlsmith").read_text())
    print("%s random statements, %d transactions of pgbench, DDL: %d done, %d refused" % (queries[-1] if queries else "few", transacted, ddl.done, ddl.refused))
    assert transacted > 0 and ddl.done > 20 and ddl.refused > 20
    assert writer.disturbed == []
    watched.wait_delivered()
    assert differences(watched, graph) == {}
    assert forgotten(watched, [writer]) == {}
