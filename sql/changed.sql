-- Which columns an update has changed: found whatever their types, sizes and places in the row.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA changed;
SET search_path = changed;
SELECT autosync.add_target('one', 'test://') \gset
SELECT autosync.pause() \gset
CREATE TABLE t (id int PRIMARY KEY, flag bool, small int2, gone text, name name, word "char", number numeric, list int[], large text, last float8);
ALTER TABLE t ALTER COLUMN large SET STORAGE EXTERNAL;
SELECT autosync.add_sync('t', 'one', backfill => false) \gset
RESET client_min_messages;
CREATE FUNCTION updates() RETURNS TABLE (entity_id text, changed text) LANGUAGE sql
AS 'SELECT entity_id, changed::text FROM autosync.event_log WHERE status <> ''COMPLETED'' AND operation = ''update'' ORDER BY event_id';
INSERT INTO t SELECT i, true, 1, 'gone', 'n', 'c', 1.5, '{1,2}', repeat('x', 10000), 0.5 FROM generate_series(1, 9) AS i;
INSERT INTO t (id) VALUES (10), (11);

UPDATE t SET flag = false WHERE id = 1;
UPDATE t SET small = 2, last = 1 WHERE id = 2;
UPDATE t SET gone = 'longer than before', last = last WHERE id = 3;
UPDATE t SET name = 'm', word = 'd' WHERE id = 4;
UPDATE t SET number = 100000.25, list = '{1,2,3}' WHERE id = 5;
UPDATE t SET large = large || 'y' WHERE id = 6;
UPDATE t SET number = NULL WHERE id = 7;
UPDATE t SET gone = NULL, last = 2 WHERE id = 8;
UPDATE t SET flag = flag, small = small + 0, large = large, list = list || '{}'::int[] WHERE id = 9; -- nothing
UPDATE t SET last = 1 WHERE id = 10;
UPDATE t SET flag = true WHERE id = 11;
SELECT * FROM updates();

-- columns that came later, and one that went
ALTER TABLE t ADD COLUMN late int DEFAULT 5, ADD COLUMN later text, ADD COLUMN latest text DEFAULT 'd';
ALTER TABLE t DROP COLUMN gone;
SELECT autosync.resume(); SELECT autosync.wait_delivered();
SELECT autosync.pause();
UPDATE t SET last = 3 WHERE id = 1;
UPDATE t SET late = 6 WHERE id = 2;
UPDATE t SET late = 5, later = 'here' WHERE id = 3;
UPDATE t SET latest = NULL WHERE id = 4;
UPDATE t SET id = 50, small = 7 WHERE id = 5;
UPDATE t SET late = late WHERE id = 6; -- nothing
SELECT * FROM updates();

SET client_min_messages = warning;
DROP SCHEMA changed CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
