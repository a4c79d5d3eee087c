-- What an operator sees and does. The target is paused, so that what is captured stays to be seen.
CREATE EXTENSION autosync;
SET client_min_messages = warning;
CREATE SERVER shelf FOREIGN DATA WRAPPER autosync_test;
SELECT autosync.adopt_database();
RESET client_min_messages;
SELECT autosync.pause('shelf');
CREATE TABLE customers (id int PRIMARY KEY, name text, email text);
CREATE TABLE tags (tag_id int, word text, PRIMARY KEY (tag_id, word));
SELECT FROM autosync.add_sync('customers', 'shelf', '{"entity_type": "customer"}', backfill => false);
SELECT FROM autosync.add_sync('tags', 'shelf', backfill => false);
SELECT source, target, kind, options, operations, enabled, triggers FROM autosync.syncs ORDER BY source::text;

-- What waits, event by event, in the order of the transactions.
SET autosync.correlation_id = 'request 7';
INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob');
RESET autosync.correlation_id;
UPDATE customers SET email = 'ada@example.com' WHERE id = 1;
UPDATE customers SET id = 3 WHERE id = 2;
DELETE FROM customers WHERE id = 3;
INSERT INTO tags VALUES (7, 'a "quoted" word');
TRUNCATE tags;
SELECT target, source, event_type, operation, entity_type, entity_id, changed, correlation_id, status, attempts FROM autosync.event_log ORDER BY event_id;
SELECT count(*), count(DISTINCT event_id) AS distinct FROM autosync.event_log;
SELECT target, state, pending, retrying, failed FROM autosync.stat_targets;
SELECT "check", status, detail FROM autosync.health() WHERE "check" ~ '^(adopted|target|sync|dead)';

-- Waiting for what cannot come.
SELECT autosync.wait_delivered('shelf', '100ms');
BEGIN;
UPDATE customers SET name = 'Ada L.' WHERE id = 1;
SELECT autosync.wait_delivered('shelf', '100ms');
ROLLBACK;
SELECT autosync.wait_delivered('cellar');

-- By hand.
INSERT INTO tags VALUES (8, 'b');
SELECT autosync.publish('customers', ' 01 ');
SELECT autosync.unpublish('tags', '{"word": "b", "tag_id": 8}', 'shelf');
SELECT target, source, event_type, operation, entity_id, status FROM autosync.event_log WHERE operation LIKE '%publish' ORDER BY event_id;
SELECT autosync.publish('customers', 'Ada');
SELECT autosync.publish('tags', '8');
SELECT autosync.publish('tags', '{"tag_id": 8}');
SELECT autosync.publish('customers', '1', 'cellar');

-- What would be sent, and is not.
SELECT method, url, headers, regexp_replace(body, '"version": ?\d+', '"version": …') AS body FROM autosync.preview('customers', '1', 'shelf');
SELECT method, url, headers, regexp_replace(body, '"version": ?\d+', '"version": …') AS body FROM autosync.preview('customers', '99', 'shelf');
SELECT count(*) FROM autosync.sent;

-- Backfill: a condition is one condition.
SELECT autosync.backfill('customers', where_clause => 'id > 0') > 0 AS estimated;
SELECT autosync.backfill('customers', where_clause => 'id > 0) OR (true');
SELECT autosync.backfill('customers', where_clause => 'true ORDER BY id');
SELECT autosync.backfill('customers', where_clause => 'true, false');
SELECT autosync.backfill('customers', where_clause => 'name');
SELECT autosync.backfill('customers', where_clause => 'nothing > 0');
SELECT target, source, kind, done, requested_by = current_user AS mine FROM autosync.stat_progress WHERE source = 'public.customers';
CREATE TABLE plain (id int PRIMARY KEY);
SELECT autosync.backfill('plain');

-- The embedded kind is always there.
SELECT ok, detail FROM autosync.check_target('shelf');

-- A trigger that is off, a TRUNCATE that nobody notices.
ALTER TABLE customers DISABLE TRIGGER _autosync_shelf;
DROP TRIGGER _autosync_shelf_truncate ON tags;
SELECT "check", status, detail, hint FROM autosync.health() WHERE "check" LIKE 'sync%';

DROP TABLE customers, tags, plain;
DROP SERVER shelf;
DROP EXTENSION autosync;
