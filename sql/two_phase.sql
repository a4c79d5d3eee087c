-- What a prepared transaction has changed arrives when it is committed, once, and never when it is rolled back.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA two_phase;
SET search_path = two_phase;
SELECT autosync.add_target('mirror', 'test://') \gset
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT autosync.add_sync('t', 'mirror', backfill => false) \gset
RESET client_min_messages;
-- States, once each: to deliver one again is allowed.
CREATE VIEW arrived AS SELECT DISTINCT key::int AS key, operation, document->>'v' AS v FROM autosync.sent ORDER BY key, v;
CREATE VIEW events AS SELECT operation, entity_id, event_id FROM autosync.event_log WHERE status <> 'COMPLETED';

BEGIN;
INSERT INTO t VALUES (1, 'prepared'), (2, 'prepared');
SAVEPOINT a;
INSERT INTO t VALUES (3, 'rolled back');
ROLLBACK TO a;
PREPARE TRANSACTION 'regress_autosync_1';
INSERT INTO t VALUES (10, 'meanwhile');
SELECT autosync.wait_delivered();
SELECT * FROM arrived;
\c -
SET search_path = two_phase;
COMMIT PREPARED 'regress_autosync_1';
SELECT autosync.wait_delivered();
SELECT * FROM arrived;

BEGIN;
DELETE FROM t;
INSERT INTO t SELECT i, 'large' FROM generate_series(100001, 180000) AS i;
PREPARE TRANSACTION 'regress_autosync_2';
SELECT count(*) FROM events;
ROLLBACK PREPARED 'regress_autosync_2';
SELECT autosync.wait_delivered();
SELECT count(*) FROM arrived;

-- the session that prepared begins anew
BEGIN;
UPDATE t SET v = 'second' WHERE id = 1;
PREPARE TRANSACTION 'regress_autosync_3';
UPDATE t SET v = 'third' WHERE id = 2;
SELECT autosync.wait_delivered();
COMMIT PREPARED 'regress_autosync_3';
SELECT autosync.wait_delivered();
SELECT * FROM arrived;

-- without a poll: COMMIT PREPARED wakes the worker
BEGIN;
UPDATE t SET v = 'fourth' WHERE id = 1;
PREPARE TRANSACTION 'regress_autosync_4';
COMMIT PREPARED 'regress_autosync_4';
DO $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    WHILE NOT EXISTS (SELECT FROM autosync.sent WHERE document->>'v' = 'fourth') AND clock_timestamp() < began + '20 s' LOOP
        PERFORM pg_sleep(0.01);
        COMMIT;
    END LOOP;
END $$;
SELECT * FROM arrived;

SET client_min_messages = warning;
DROP SCHEMA two_phase CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
