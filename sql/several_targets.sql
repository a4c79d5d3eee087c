-- Several targets on one table share one stored event.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA several;
SET search_path = several;
SELECT autosync.add_target(n, 'test://') FROM unnest('{one,two,three}'::name[]) AS n \gset
SELECT autosync.pause() \gset
CREATE TABLE t (id int PRIMARY KEY, v text, w text);
SELECT autosync.add_sync('t', 'one', backfill => false) \gset
SELECT autosync.add_sync('t', 'two', '{"columns": ["id", "v"]}', backfill => false) \gset
SELECT autosync.add_sync('t', 'three', '{"columns": ["id", "w"], "operations": "insert,update"}', backfill => false) \gset
RESET client_min_messages;
CREATE VIEW events AS SELECT * FROM autosync.event_log WHERE status <> 'COMPLETED';
-- The bytes of one transaction's rows in the log: chunks hold what events there are once, however many targets they are for.
CREATE VIEW chunks AS
SELECT xid, length(data) AS bytes FROM (TABLE autosync.log_0 UNION ALL TABLE autosync.log_1 UNION ALL TABLE autosync.log_2) AS log;

INSERT INTO t SELECT i, 'v', 'w' FROM generate_series(1, 400) AS i;
SELECT target, count(*), count(DISTINCT event_id) AS ids FROM events GROUP BY target ORDER BY target;
SELECT count(DISTINCT event_id) AS stored FROM events;
SELECT count(*) AS chunks, sum(bytes) < 400 * 8 + 100 AS packed FROM chunks;

-- each gets what it uses
UPDATE t SET v = 'vv' WHERE id = 1;
UPDATE t SET w = 'ww' WHERE id = 2;
UPDATE t SET v = 'x', w = 'y' WHERE id = 3;
UPDATE t SET id = -4 WHERE id = 4;
DELETE FROM t WHERE id = 5;
SELECT entity_id, operation, array_agg(target ORDER BY target) AS targets, count(DISTINCT event_id) AS stored, changed
FROM events WHERE operation <> 'insert' GROUP BY entity_id, operation, changed ORDER BY min(event_id), entity_id;
-- in one transaction, some for all and some not
BEGIN;
SET LOCAL autosync.correlation_id = 'together';
UPDATE t SET w = 'late' WHERE id = 10;
UPDATE t SET v = 'later' WHERE id = 10;
UPDATE t SET v = 'v2' WHERE id = 11;
INSERT INTO t VALUES (500);
COMMIT;
SELECT entity_id, operation, array_agg(target ORDER BY target) AS targets, count(DISTINCT event_id) AS stored
FROM events WHERE correlation_id = 'together' GROUP BY entity_id, operation ORDER BY entity_id;
TRUNCATE t;
SELECT target, operation FROM events WHERE operation = 'truncate' ORDER BY target;
INSERT INTO t VALUES (1, 'a', 'b');

-- one goes on, the others stay where they are
SELECT autosync.resume('two');
SELECT autosync.wait_delivered('two');
SELECT target, count(*) > 0 AS pending FROM events GROUP BY target ORDER BY target;
SELECT DISTINCT ON (target, key) target, operation, document FROM autosync.sent WHERE key = '1' ORDER BY target, key, sent_id DESC;
SELECT autosync.resume();
SELECT autosync.wait_delivered();
SELECT DISTINCT ON (target, key) target, operation, document FROM autosync.sent WHERE key = '1' ORDER BY target, key, sent_id DESC;
SELECT count(*) FROM events;

-- a target that fails keeps no other from going on
ALTER SERVER one OPTIONS (ADD fail '.', ADD max_attempts '1');
INSERT INTO t VALUES (600, 'a', 'b');
SELECT autosync.wait_delivered('two'), autosync.wait_delivered('three');
SELECT autosync.wait_delivered('one');
SELECT target, status, entity_id FROM events;
SELECT target FROM autosync.sent WHERE key = '600' AND operation = 'upsert' GROUP BY target ORDER BY target;

-- another key is another event
SELECT autosync.pause();
CREATE TABLE k (id int PRIMARY KEY, code text UNIQUE NOT NULL);
SELECT autosync.add_sync('k', 'two', backfill => false) \gset
SELECT autosync.add_sync('k', 'three', '{"key": "code"}', backfill => false) \gset
INSERT INTO k VALUES (1, 'a');
UPDATE k SET code = 'b';
SELECT target, operation, entity_id FROM events WHERE source = 'several.k' ORDER BY target, event_id;
SELECT autosync.resume('two'), autosync.resume('three');
SELECT autosync.wait_delivered('two'), autosync.wait_delivered('three');
SELECT DISTINCT ON (target, key) target, key, operation, document FROM autosync.sent WHERE source = 'several.k' ORDER BY target, key, sent_id DESC;

SET client_min_messages = warning;
DROP SCHEMA several CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
