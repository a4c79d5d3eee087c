-- An event exists if and only if its transaction and its subtransaction committed.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA subtransactions;
SET search_path = subtransactions;
SELECT autosync.add_target('mirror', 'test://') \gset
SELECT autosync.pause('mirror') \gset
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT autosync.add_sync('t', 'mirror', backfill => false) \gset
RESET client_min_messages;
CREATE VIEW events AS SELECT operation, entity_id, event_id FROM autosync.event_log WHERE status <> 'COMPLETED';
CREATE VIEW held AS
SELECT key, document FROM (SELECT DISTINCT ON (key) * FROM autosync.sent ORDER BY key, sent_id DESC) AS latest WHERE operation = 'upsert';
CREATE VIEW differs AS
SELECT 'missing' AS difference, d FROM (SELECT to_jsonb(t) AS d FROM t EXCEPT ALL SELECT document FROM held) AS m
UNION ALL SELECT 'extra', d FROM (SELECT document AS d FROM held EXCEPT ALL SELECT to_jsonb(t) FROM t) AS e;
CREATE PROCEDURE arrive() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM autosync.resume('mirror');
    COMMIT;
    IF NOT autosync.wait_delivered('mirror', '5min') THEN
        RAISE WARNING 'not delivered' USING DETAIL = concat_ws(E'\n', (SELECT jsonb_agg(t) FROM autosync.stat_targets AS t), (SELECT jsonb_agg(w) FROM autosync.stat_workers AS w));
    END IF;
    PERFORM autosync.pause('mirror');
END $$;

-- savepoints
BEGIN;
INSERT INTO t VALUES (1, 'outer');
SAVEPOINT a;
INSERT INTO t VALUES (2, 'rolled back');
UPDATE t SET v = 'rolled back' WHERE id = 1;
ROLLBACK TO a;
INSERT INTO t VALUES (3, 'after');
SAVEPOINT b;
INSERT INTO t VALUES (4, 'inner');
SAVEPOINT c;
DELETE FROM t WHERE id = 3;
ROLLBACK TO c;
INSERT INTO t VALUES (5, 'innermost');
RELEASE b;
COMMIT;
SELECT operation, entity_id FROM events ORDER BY event_id;
CALL arrive();
SELECT key, document FROM held ORDER BY key;

-- exceptions in PL/pgSQL, caught at several depths
DO $$
BEGIN
    INSERT INTO t VALUES (10, 'kept');
    BEGIN
        INSERT INTO t VALUES (11, 'lost');
        BEGIN
            INSERT INTO t VALUES (12, 'lost with the one outside');
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
        INSERT INTO t VALUES (10, 'a duplicate');
    EXCEPTION WHEN unique_violation THEN
        INSERT INTO t VALUES (13, 'kept');
    END;
    FOR i IN 100..199 LOOP
        BEGIN
            INSERT INTO t VALUES (i, 'sometimes');
            IF i % 2 = 0 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
    END LOOP;
END $$;
SELECT count(*), count(*) FILTER (WHERE entity_id::int % 2 = 0 AND entity_id::int >= 100) AS even FROM events;
CALL arrive();
TABLE differs;

-- many subtransactions, and one that fails late
DO $$
BEGIN
    FOR i IN 1000..6999 LOOP
        BEGIN
            INSERT INTO t VALUES (i, 'one each');
        EXCEPTION WHEN OTHERS THEN
            RAISE;
        END;
    END LOOP;
END $$;
SELECT count(*) FROM events;
BEGIN;
SAVEPOINT a;
DELETE FROM t WHERE id >= 1000;
INSERT INTO t VALUES (1, 'a duplicate');
ROLLBACK TO a;
COMMIT;
SELECT count(*) FROM events;
CALL arrive();
TABLE differs;

-- what a transaction writes to the log before it commits (it is large) goes with its subtransaction
CREATE FUNCTION chunks() RETURNS bigint LANGUAGE sql AS 'SELECT (SELECT count(*) FROM autosync.log_0) + (SELECT count(*) FROM autosync.log_1) + (SELECT count(*) FROM autosync.log_2)';
BEGIN;
INSERT INTO t VALUES (8000, 'before');
SELECT chunks() AS before \gset
SAVEPOINT a;
INSERT INTO t SELECT i, 'large' FROM generate_series(100001, 180000) AS i;
SELECT chunks() > :before AS written_early;
ROLLBACK TO a;
SELECT chunks() = :before AS gone;
INSERT INTO t VALUES (8001, 'after');
COMMIT;
SELECT operation, entity_id FROM events ORDER BY entity_id;
-- nothing but what was rolled back, and nothing but what was written early
BEGIN;
SAVEPOINT a;
INSERT INTO t SELECT i, 'large' FROM generate_series(100001, 180000) AS i;
ROLLBACK TO a;
COMMIT;
SELECT count(*) FROM events;
BEGIN;
SAVEPOINT a;
INSERT INTO t SELECT i, 'large' FROM generate_series(100001, 180000) AS i;
RELEASE a;
ROLLBACK;
SELECT count(*) FROM events;
CALL arrive();
TABLE differs;
SELECT count(*) FROM pg_locks WHERE relation::regclass::text LIKE 'autosync.log%' AND mode = 'RowExclusiveLock';

-- after what was written early was rolled back, the log is locked for what is written then
BEGIN;
SAVEPOINT a;
INSERT INTO t SELECT i, 'large' FROM generate_series(100001, 180000) AS i;
ROLLBACK TO a;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text LIKE 'autosync.log__' AND mode = 'RowExclusiveLock';
INSERT INTO t SELECT i, 'large' FROM generate_series(200001, 280000) AS i;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text LIKE 'autosync.log__' AND mode = 'RowExclusiveLock';
COMMIT;
SELECT count(*), count(DISTINCT entity_id) AS keys FROM events;
CALL arrive();
TABLE differs;

-- a large transaction whose keys come again after they were written
BEGIN;
UPDATE t SET v = 'once';
UPDATE t SET v = 'twice' WHERE id % 2 = 0;
DELETE FROM t WHERE id > 200000 AND id % 3 = 0;
SAVEPOINT a;
DELETE FROM t;
ROLLBACK TO a;
COMMIT;
CALL arrive();
TABLE differs;
SELECT count(*) > 50000 AS many FROM held;

SET client_min_messages = warning;
DROP SCHEMA subtransactions CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
