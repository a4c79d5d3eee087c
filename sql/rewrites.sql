-- New files under a table: rows are delivered anew only where nothing else tells what has become of them.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA rewrites;
SET search_path = rewrites;
SELECT autosync.add_target('mirror', 'test://') \gset
CREATE SERVER other FOREIGN DATA WRAPPER autosync_test;
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 100) AS i;
SELECT autosync.add_sync('t', 'mirror');
CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (50);
CREATE TABLE high PARTITION OF parts FOR VALUES FROM (50) TO (1000);
INSERT INTO parts SELECT i, 'old' FROM generate_series(1, 99) AS i;
SELECT autosync.add_sync('parts', 'mirror');

-- What has been delivered since the last time, once a change that comes after the new files has arrived, and the work that these have given.
CREATE PROCEDURE settle(source regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s VALUES (0, ''mark'')', source);
    COMMIT;
    PERFORM autosync.wait_delivered();
    FOR i IN 1..1000 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM autosync.jobs) AND NOT EXISTS (SELECT FROM autosync.rewrites);
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
    EXECUTE format('DELETE FROM %s WHERE id = 0', source);
    COMMIT;
    PERFORM autosync.wait_delivered();
END $$;
CREATE TABLE seen AS SELECT 0::int8 AS upto;
CREATE FUNCTION delivered() RETURNS TABLE (target name, operation text, keys int8, times int8) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT s.target, s.operation, count(DISTINCT key), count(*) FROM autosync.sent AS s, seen WHERE sent_id > upto AND key <> '0' GROUP BY 1, 2 ORDER BY 1, 2;
    UPDATE seen SET upto = (SELECT max(sent_id) FROM autosync.sent);
END $$;
CALL settle('t');
CALL settle('parts');
SELECT * FROM delivered();

\echo -- A TRUNCATE that is captured: what was there goes, what came after it comes, each once.
BEGIN;
TRUNCATE t;
INSERT INTO t SELECT i, 'new' FROM generate_series(1, 10) AS i;
COMMIT;
CALL settle('t');
SELECT * FROM delivered();
BEGIN;
TRUNCATE parts;
INSERT INTO parts SELECT i, 'new' FROM generate_series(46, 55) AS i;
COMMIT;
CALL settle('parts');
SELECT * FROM delivered();

\echo -- Rows copied as they are, also several times before anybody looks.
VACUUM FULL t;
CALL settle('t');
SELECT * FROM delivered();
BEGIN;
CLUSTER t USING t_pkey;
ALTER TABLE t SET UNLOGGED;
CLUSTER t;
COMMIT;
VACUUM FULL low;
CALL settle('t');
CALL settle('parts');
SELECT * FROM delivered();
BEGIN;
CLUSTER t;
TRUNCATE t;
CLUSTER t;
INSERT INTO t VALUES (5, 'newer');
COMMIT;
CALL settle('t');
SELECT * FROM delivered();
ALTER TABLE t SET LOGGED;
CALL settle('t');
SELECT * FROM delivered();

\echo -- A TRUNCATE that nobody hears of is found by the file, whatever else is done to it before somebody looks.
BEGIN;
SET LOCAL autosync.enabled = off;
TRUNCATE t;
SET LOCAL autosync.enabled = on;
CLUSTER t;
INSERT INTO t VALUES (200, 'after');
COMMIT;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
BEGIN;
SET LOCAL session_replication_role = replica;
TRUNCATE t;
SET LOCAL session_replication_role = origin;
INSERT INTO t VALUES (201, 'after');
COMMIT;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
ALTER TABLE t DISABLE TRIGGER _autosync_mirror_truncate;
TRUNCATE t;
ALTER TABLE t ENABLE TRIGGER _autosync_mirror_truncate;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
TRUNCATE high;
CALL settle('parts');
SELECT target, operation, keys FROM delivered();

\echo -- Neither is a captured one an excuse for what comes after it, nor one that is rolled back, nor that of an inheriting table.
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 10) AS i;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
BEGIN;
SAVEPOINT s;
TRUNCATE t;
ROLLBACK TO s;
SET LOCAL autosync.enabled = off;
TRUNCATE t;
COMMIT;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 10) AS i;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
BEGIN;
TRUNCATE t;
INSERT INTO t SELECT i, 'new' FROM generate_series(1, 5) AS i;
ALTER TABLE t ALTER COLUMN v TYPE text USING upper(v);
COMMIT;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
BEGIN;
CLUSTER t;
ALTER TABLE t ALTER COLUMN v TYPE text USING lower(v) || '!';
CLUSTER t;
COMMIT;
CALL settle('t');
SELECT target, operation, keys FROM delivered();
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (t);
INSERT INTO child SELECT i, 'child' FROM generate_series(1001, 1005) AS i;
SELECT autosync.add_sync('child', 'mirror');
CALL settle('child');
SELECT target, operation, keys FROM delivered();
BEGIN;
SET LOCAL autosync.enabled = off;
TRUNCATE child;
SET LOCAL autosync.enabled = on;
TRUNCATE ONLY t;
COMMIT;
CALL settle('child');
CALL settle('t');
SELECT target, operation, keys FROM delivered();
DROP TABLE child;

\echo -- What one target hears of, another need not.
INSERT INTO t SELECT i, 'old' FROM generate_series(1, 3) AS i;
SELECT autosync.add_sync('t', 'other');
CALL settle('t');
SELECT target, operation, keys FROM delivered();
BEGIN;
SET LOCAL autosync.origin = 'other';
TRUNCATE t;
COMMIT;
CALL settle('t');
SELECT target, operation, keys FROM delivered();

RESET search_path;
DROP SCHEMA rewrites CASCADE;
