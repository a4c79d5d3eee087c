-- delivery = sync: what was written is also sent once before the transaction commits.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA early;
SET search_path = early;
SELECT autosync.add_target('first', 'test://', '{"max_attempts": 1}') \gset
SELECT autosync.add_target('second', 'test://', '{"fail": "bad", "max_attempts": 1}') \gset
CREATE TABLE orders (id int PRIMARY KEY, status text);
CREATE TABLE notes (id int PRIMARY KEY, text text);
SELECT autosync.add_sync('orders', 'first', '{"delivery": "sync"}');
SELECT autosync.add_sync('orders', 'second', '{"delivery": "sync"}');
SELECT autosync.add_sync('notes', 'first');
SELECT autosync.wait_delivered();
CREATE VIEW arrived AS SELECT target, key, operation, document ->> 'status' AS status FROM autosync.sent ORDER BY target, sent_id;
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await

-- It is there when COMMIT returns, and is delivered after it as always.
INSERT INTO orders VALUES (1, 'open'), (2, 'open');
SELECT DISTINCT * FROM arrived ORDER BY target, key;
SELECT autosync.wait_delivered();
SELECT count(*) >= 8 AS twice FROM autosync.sent;
CALL await('NOT EXISTS (SELECT FROM autosync.exceptions)');
SELECT entity_id, status, count(*) FROM autosync.event_log GROUP BY entity_id, status ORDER BY 1;

-- refused: a warning, and the change is where others are that were refused
INSERT INTO orders VALUES (3, 'bad');
SELECT autosync.wait_delivered('second');
CALL await('(SELECT count(*) = 2 FROM autosync.event_log WHERE entity_id = ''3'' AND status IN (''COMPLETED'', ''FAILED''))');
CALL await('NOT EXISTS (SELECT FROM autosync.exceptions WHERE verb = ''confirm'')');
SELECT target, entity_id, status FROM autosync.event_log WHERE entity_id = '3' ORDER BY target;
SELECT autosync.discard('second');

-- or an error: nothing has happened, and the target that has got it has what was there before
\set VERBOSITY sqlstate
SET autosync.fail_silently = off;
TRUNCATE autosync.sent;
BEGIN;
UPDATE orders SET status = 'bad' WHERE id = 1;
DELETE FROM orders WHERE id = 2;
INSERT INTO orders VALUES (4, 'new');
COMMIT;
\set VERBOSITY default
SELECT * FROM orders ORDER BY id;
CALL await('(SELECT count(*) = 6 FROM autosync.sent WHERE target = ''first'')');
SELECT key, operation, status FROM arrived WHERE target = 'first';
CALL await('NOT EXISTS (SELECT FROM autosync.exceptions WHERE verb = ''confirm'')');

-- what was rolled back to a savepoint is not sent
TRUNCATE autosync.sent;
BEGIN;
SAVEPOINT s;
INSERT INTO orders VALUES (5, 'bad');
ROLLBACK TO s;
INSERT INTO orders VALUES (6, 'good');
COMMIT;
BEGIN;
SAVEPOINT s;
INSERT INTO orders VALUES (5, 'bad');
ROLLBACK TO s;
COMMIT;
SELECT DISTINCT key, status FROM arrived;

-- keys that change, deletions, a procedure that commits, deferred triggers
UPDATE orders SET id = 60 WHERE id = 6;
DELETE FROM orders WHERE id = 60;
DO $$BEGIN FOR i IN 10..12 LOOP INSERT INTO orders VALUES (i, 'each'); COMMIT; PERFORM 1 FROM autosync.sent WHERE key = i::text HAVING count(DISTINCT target) = 2; ASSERT FOUND; END LOOP; END$$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE orders SET status = 'touched' WHERE id = new.id AND status <> 'touched'; RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO orders VALUES (20, 'before');
SELECT DISTINCT target, status FROM arrived WHERE key = '20' ORDER BY target;
DROP TRIGGER late ON orders;

-- filters and conditions are asked before the commit as they are after it
SELECT autosync.alter_sync('orders', 'first', '{"filter": "1 / (id - 30) <> 0"}');
INSERT INTO orders VALUES (30, 'unreadable');
SELECT autosync.alter_sync('orders', 'first', '{"filter": null}');

-- more than is handed over, TRUNCATE, DDL on the table: as with wait
INSERT INTO orders SELECT i, 'many' FROM generate_series(1001, 2500) AS i;
SELECT target, count(DISTINCT key) FROM autosync.sent WHERE document ->> 'status' = 'many' GROUP BY target ORDER BY target;
BEGIN;
ALTER TABLE orders ADD COLUMN more text DEFAULT 'more';
INSERT INTO orders VALUES (40, 'altered');
COMMIT;
SELECT DISTINCT target, document ->> 'more' AS more FROM autosync.sent WHERE key = '40' ORDER BY target;
TRUNCATE orders;
SELECT target, count(*) FROM (SELECT DISTINCT ON (target, key) target, operation FROM autosync.sent WHERE source = 'early.orders' ORDER BY target, key, sent_id DESC) AS last
WHERE operation = 'upsert' GROUP BY target;

-- as the session says; a target that is paused
SET autosync.delivery = sync;
INSERT INTO notes VALUES (1, 'a');
SELECT DISTINCT key FROM autosync.sent WHERE source = 'early.notes';
SELECT autosync.pause('first');
INSERT INTO notes VALUES (2, 'b');
SELECT * FROM notes;
SET autosync.fail_silently = on;
INSERT INTO notes VALUES (3, 'c');
SELECT autosync.resume('first');
CALL await('NOT EXISTS (SELECT FROM autosync.exceptions WHERE status <> ''DISCARDED'')'); -- of the rows that TRUNCATE took away
SELECT autosync.wait_delivered();
SELECT DISTINCT key FROM autosync.sent WHERE source = 'early.notes' ORDER BY key;
-- marked by the same transaction: the worker waits for nobody
BEGIN;
UPDATE notes SET text = 'd' WHERE id = 3;
SELECT autosync.publish('notes', '3');
COMMIT;
SELECT document ->> 'text' AS text FROM autosync.sent WHERE source = 'early.notes' AND key = '3' ORDER BY sent_id DESC LIMIT 1;
RESET autosync.delivery;

-- declared wrongly
SELECT autosync.alter_sync('notes', 'first', '{"delivery": "before"}');
SELECT autosync.alter_sync('notes', 'first', '{"delivery": "sync", "debounce": "1s"}');
DROP SCHEMA early CASCADE;
DROP EXTENSION autosync CASCADE;
