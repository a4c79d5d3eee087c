-- What a transaction would sync, for tests of an application that roll back.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA captured;
SET search_path = captured;
CREATE SERVER try FOREIGN DATA WRAPPER autosync_test;
CREATE SERVER other FOREIGN DATA WRAPPER autosync_test;
CREATE TABLE orders (id int PRIMARY KEY, status text, note text);
CREATE TABLE items (order_id int, line int, what text, PRIMARY KEY (order_id, line));
SELECT autosync.add_sync('orders', 'try', '{"entity_type": "order", "filter": "status <> ''new''", "exclude": "note"}', backfill => false);
SELECT autosync.add_sync('orders', 'other', backfill => false);
SELECT autosync.add_sync('items', 'try', backfill => false);
BEGIN;
INSERT INTO orders VALUES (1, 'open');
SELECT * FROM autosync.captured();
ROLLBACK;
SELECT autosync.adopt_database();
SELECT autosync.wait_delivered();

SELECT * FROM autosync.captured();
BEGIN;
SET LOCAL autosync.correlation_id = 'request 7';
INSERT INTO orders VALUES (1, 'open'), (2, 'open');
INSERT INTO items VALUES (1, 1, 'a');
SELECT * FROM autosync.captured();
UPDATE orders SET note = 'only for the other' WHERE id = 1;
UPDATE orders SET id = 3 WHERE id = 2;
SAVEPOINT s;
DELETE FROM items;
SELECT target, source, event_type, entity_id FROM autosync.captured();
ROLLBACK TO s;
TRUNCATE items;
SELECT target, source, event_type, operation, entity_id, changed FROM autosync.captured();
ROLLBACK;
SELECT count(*) FROM autosync.captured();
SELECT count(*) FROM autosync.sent;

-- a large transaction has written some of its events to the log: none is missing, none is there twice
BEGIN;
INSERT INTO items SELECT i, 1, 'many' FROM generate_series(1, 200000) AS i;
SELECT count(*), count(DISTINCT entity_id) FROM autosync.captured();
ROLLBACK;

-- the owner's eyes only
CREATE ROLE regress_captured;
GRANT USAGE ON SCHEMA captured TO regress_captured;
GRANT INSERT ON items TO regress_captured;
BEGIN;
SET LOCAL ROLE regress_captured;
INSERT INTO items VALUES (9, 9, 'x');
SELECT count(*) FROM autosync.captured();
RESET ROLE;
SELECT count(*) FROM autosync.captured();
ROLLBACK;

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA captured CASCADE;
DROP ROLE regress_captured;
