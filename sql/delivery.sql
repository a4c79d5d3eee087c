-- delivery = wait: COMMIT returns when what was written has arrived.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA delivery;
SET search_path = delivery;
SELECT autosync.add_target('try', 'test://') \gset
SELECT autosync.add_target('other', 'test://') \gset
CREATE TABLE orders (id int PRIMARY KEY, status text);
CREATE TABLE notes (id int PRIMARY KEY, text text);
SELECT autosync.add_sync('orders', 'try', '{"delivery": "wait"}');
SELECT autosync.add_sync('notes', 'try');
SELECT autosync.add_sync('notes', 'other');
SELECT autosync.wait_delivered();

-- by the sync's option: no wait_delivered() from here on
INSERT INTO orders VALUES (1, 'open');
SELECT key, operation, document FROM autosync.sent ORDER BY sent_id;
BEGIN;
UPDATE orders SET status = 'done';
SELECT count(*) FROM autosync.sent;
COMMIT;
SELECT key, operation, document FROM autosync.sent ORDER BY sent_id;
TRUNCATE orders;
SELECT key, operation, document FROM autosync.sent ORDER BY sent_id;
INSERT INTO orders SELECT i, 'many' FROM generate_series(1, 5000) AS i;
SELECT count(*) FROM autosync.sent WHERE operation = 'upsert' AND document ->> 'status' = 'many';

-- as the session says, for all of its targets
SHOW autosync.delivery;
SET autosync.delivery = wait;
INSERT INTO notes VALUES (1, 'a');
SELECT target, key FROM autosync.sent WHERE source = 'delivery.notes' ORDER BY target;
BEGIN;
SAVEPOINT s;
INSERT INTO notes VALUES (2, 'b');
ROLLBACK TO s;
COMMIT;
BEGIN;
INSERT INTO notes VALUES (3, 'c');
ROLLBACK;
UPDATE notes SET text = 'a';
DELETE FROM notes WHERE id = 1;
SELECT target, key, operation FROM autosync.sent WHERE source = 'delivery.notes' ORDER BY target, sent_id;
DO $$BEGIN FOR i IN 10..12 LOOP INSERT INTO notes VALUES (i, 'each'); COMMIT; PERFORM 1 FROM autosync.sent WHERE source LIKE '%notes' AND key = i::text HAVING count(*) = 2; ASSERT FOUND; END LOOP; END$$;
RESET autosync.delivery;

-- the server's option counts for syncs that do not say otherwise, and follows at once
ALTER SERVER other OPTIONS (ADD delivery 'wait');
SELECT autosync.alter_sync('orders', 'try', '{"delivery": "async"}');
SELECT option, value, level, origin LIKE '%other%' AS here FROM autosync.explain_options('notes', 'other') WHERE option = 'delivery';
SELECT value, level FROM autosync.explain_options('orders', 'try') WHERE option = 'delivery';
SELECT value, level FROM autosync.explain_options('notes', 'try') WHERE option = 'delivery';
INSERT INTO notes VALUES (20, 'd');
SELECT target, key FROM autosync.sent WHERE key = '20' AND target = 'other';

-- a target that takes nothing: the wait ends with the statement's time, the change stays queued
SELECT autosync.pause('other');
SET statement_timeout = '2s';
INSERT INTO notes VALUES (21, 'e');
RESET statement_timeout;
SELECT count(*) FROM notes WHERE id = 21;
SELECT state, reason FROM autosync.why('notes', '21', 'other');
SELECT autosync.resume('other');
SELECT autosync.wait_delivered('other');
SELECT count(*) FROM autosync.sent WHERE key = '21' AND target = 'other';

-- refused for good
ALTER SERVER other OPTIONS (ADD fail 'poison', ADD max_attempts '2', ADD retry_initial_delay '50ms');
INSERT INTO notes VALUES (30, 'poison'), (31, 'fine');
SELECT entity_id FROM autosync.failed_events;
SELECT key FROM autosync.sent WHERE key IN ('30', '31') AND target = 'other';
SELECT autosync.discard('other');

-- nothing is waited for where nothing is captured, and not by a transaction that is prepared
SELECT autosync.pause('other');
SET autosync.enabled = off;
INSERT INTO notes VALUES (40, 'off');
RESET autosync.enabled;
SELECT autosync.resume('other');
SELECT autosync.alter_sync('notes', 'try', '{"delivery": "sometimes"}');
SET autosync.delivery = sometimes;

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA delivery CASCADE;
