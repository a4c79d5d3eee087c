-- Every committed change is captured, by whatever statement it comes; nothing else is. The target is paused while one looks at the
-- events, then what has arrived is compared with the tables.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA capture;
SET search_path = capture;
\set SHOW_CONTEXT never
SELECT autosync.add_target('mirror', 'test://') \gset
SELECT autosync.pause('mirror') \gset
CREATE VIEW events AS SELECT source, operation, entity_id, changed, correlation_id, origin, event_id FROM autosync.event_log WHERE status <> 'COMPLETED';
-- What the target holds of a table, and how it differs from the table.
CREATE VIEW held AS
SELECT source, key, document FROM (SELECT DISTINCT ON (source, key) * FROM autosync.sent WHERE target = 'mirror' ORDER BY source, key, sent_id DESC) AS latest
WHERE operation = 'upsert';
CREATE FUNCTION differs(relation regclass) RETURNS TABLE (difference text, document jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH wanted AS (SELECT to_jsonb(t) AS d FROM %1$s AS t), holds AS (SELECT h.document AS d FROM held AS h WHERE source = %2$L)
         SELECT ''missing'', d FROM (TABLE wanted EXCEPT ALL TABLE holds) AS m UNION ALL SELECT ''extra'', d FROM (TABLE holds EXCEPT ALL TABLE wanted) AS e',
        relation, 'capture.' || relation::text);
END $$;
-- Delivers what is pending, says what differs, and goes back to where one looks.
CREATE PROCEDURE arrive() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM autosync.resume('mirror');
    COMMIT;
    IF NOT autosync.wait_delivered('mirror', '60s') THEN
        RAISE WARNING 'not delivered' USING DETAIL = concat_ws(E'\n', (SELECT jsonb_agg(t) FROM autosync.stat_targets AS t), (SELECT jsonb_agg(w) FROM autosync.stat_workers AS w));
    END IF;
    PERFORM autosync.pause('mirror');
END $$;

CREATE TABLE customers (id int PRIMARY KEY, name text, email text, note text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON UPDATE CASCADE ON DELETE CASCADE, total numeric);
SELECT autosync.add_sync('customers', 'mirror', backfill => false) \gset
SELECT autosync.add_sync('orders', 'mirror', backfill => false) \gset
RESET client_min_messages;

-- insert, update, delete
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', NULL), (2, 'Bob', NULL, NULL), (3, 'Cid', NULL, NULL);
INSERT INTO orders VALUES (10, 1, 5), (11, 1, 7.50), (20, 2, 1);
UPDATE customers SET email = 'bob@example.com', note = 'new' WHERE id = 2;
DELETE FROM customers WHERE id = 3;
SELECT source, operation, entity_id, changed FROM events ORDER BY event_id;
CALL arrive();
SELECT count(*) FROM events;
SELECT * FROM differs('customers') UNION ALL SELECT * FROM differs('orders');
SELECT source, key, document FROM held ORDER BY source, key;

-- an update that changes nothing is no event; one that is undone within the transaction says what the row is
UPDATE customers SET name = name, email = 'ada@example.com' WHERE id = 1;
SELECT count(*) FROM events;
BEGIN;
UPDATE customers SET name = 'Eve' WHERE id = 1;
UPDATE customers SET name = 'Ada', email = 'a@example.com' WHERE id = 1;
COMMIT;
SELECT operation, entity_id, changed FROM events;

-- one transaction, one event per key: what became of it
BEGIN;
INSERT INTO customers VALUES (4, 'Dan');
UPDATE customers SET name = 'Dana' WHERE id = 4;
INSERT INTO customers VALUES (5, 'Eli');
DELETE FROM customers WHERE id = 5;
DELETE FROM customers WHERE id = 1;
INSERT INTO customers VALUES (1, 'Ada again');
COMMIT;
SELECT source, operation, entity_id FROM events ORDER BY source, entity_id, event_id;
CALL arrive();
SELECT * FROM differs('customers') UNION ALL SELECT * FROM differs('orders');

-- rolled back: nothing
BEGIN;
DELETE FROM customers;
TRUNCATE orders;
ROLLBACK;
SELECT count(*) FROM events;

-- COPY, ON CONFLICT, MERGE, CTEs that write, a function that does
COPY customers (id, name) FROM stdin;
6	Fay
7	Gus
\.
INSERT INTO customers (id, name) VALUES (6, 'Faye'), (8, 'Hal') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
INSERT INTO customers (id, name) VALUES (6, 'nobody') ON CONFLICT DO NOTHING;
MERGE INTO customers AS c USING (VALUES (7, NULL), (8, 'Hall'), (9, 'Ivy')) AS n (id, name) ON c.id = n.id
    WHEN MATCHED AND n.name IS NULL THEN DELETE
    WHEN MATCHED THEN UPDATE SET name = n.name
    WHEN NOT MATCHED THEN INSERT (id, name) VALUES (n.id, n.name);
WITH gone AS (DELETE FROM customers WHERE id = 9 RETURNING name), come AS (INSERT INTO customers (id, name) SELECT 99, name FROM gone) SELECT name FROM gone;
SELECT operation, entity_id FROM events ORDER BY event_id;
CALL arrive();
SELECT * FROM differs('customers');

-- cascades of foreign keys; a key change removes the old entity and writes the new one
INSERT INTO orders VALUES (40, 4, 40), (60, 6, 60);
UPDATE customers SET id = 400 WHERE id = 4;
DELETE FROM customers WHERE id = 6;
SELECT source, operation, entity_id, changed FROM events ORDER BY event_id;
CALL arrive();
SELECT * FROM differs('customers') UNION ALL SELECT * FROM differs('orders');
SELECT DISTINCT key, operation FROM autosync.sent WHERE source = 'capture.customers' AND key IN ('4', '400') ORDER BY key, operation;

-- keys that change places, in one statement or in two (a key whose constraint is deferrable identifies nothing for a while: refused)
CREATE TABLE places (seat int PRIMARY KEY DEFERRABLE, guest text UNIQUE NOT NULL);
SELECT autosync.add_sync('places', 'mirror', '{"key": "seat"}');
SELECT autosync.add_sync('places', 'mirror', '{"key": "guest"}', backfill => false);
INSERT INTO places VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cid');
CALL arrive();
UPDATE places SET seat = 4 - seat;
SELECT operation, entity_id, changed FROM events ORDER BY entity_id;
CALL arrive();
SELECT * FROM differs('places');
CREATE TABLE seats (seat int PRIMARY KEY, guest text);
SELECT autosync.add_sync('seats', 'mirror');
INSERT INTO seats VALUES (1, 'Ada'), (2, 'Bob'), (3, 'Cid');
BEGIN;
UPDATE seats SET seat = -seat;
UPDATE seats SET seat = 4 + seat;
COMMIT;
SELECT operation, entity_id FROM events WHERE source = 'capture.seats' ORDER BY entity_id, event_id;
CALL arrive();
SELECT * FROM differs('seats');
SELECT key, document FROM held WHERE source = 'capture.seats' ORDER BY key;

-- values of a key that are equal are one entity, however they are written
CREATE TABLE prices (price numeric PRIMARY KEY, name char(5));
SELECT autosync.add_sync('prices', 'mirror');
INSERT INTO prices VALUES (1.50, 'a'), (2, 'b');
CALL arrive();
UPDATE prices SET price = 1.500 WHERE price = 1.5;
UPDATE prices SET price = 2.1 WHERE price = 2;
SELECT operation, entity_id, changed FROM events WHERE source = 'capture.prices' ORDER BY event_id;
CALL arrive();
SELECT * FROM differs('prices');
SELECT DISTINCT key, operation FROM autosync.sent WHERE source = 'capture.prices' ORDER BY key, operation;

-- a row whose large value stays where it is
ALTER TABLE customers ALTER note SET STORAGE EXTERNAL;
UPDATE customers SET note = repeat('n', 10000) WHERE id = 2;
CALL arrive();
UPDATE customers SET note = note WHERE id = 2;
SELECT count(*) FROM events;
UPDATE customers SET name = 'Bobby' WHERE id = 2;
SELECT operation, entity_id, changed FROM events;
CALL arrive();
SELECT * FROM differs('customers');

-- TRUNCATE, with what comes after in the same transaction
BEGIN;
INSERT INTO orders VALUES (41, 400, 1);
TRUNCATE orders;
INSERT INTO orders VALUES (42, 400, 2);
COMMIT;
SELECT source, operation, entity_id FROM events ORDER BY event_id;
CALL arrive();
SELECT * FROM differs('orders');
TRUNCATE customers CASCADE;
CALL arrive();
SELECT source, count(*) FROM held WHERE source IN ('capture.customers', 'capture.orders') GROUP BY source;

-- which columns count: those of the options, and what filters read
CREATE TABLE articles (id int PRIMARY KEY, title text, body text, state text, views int DEFAULT 0);
SELECT autosync.add_sync('articles', 'mirror', '{"columns": ["id", "title"], "filter": "state = ''public''"}');
INSERT INTO articles VALUES (1, 'One', 'x', 'public'), (2, 'Two', 'x', 'draft');
CALL arrive();
UPDATE articles SET views = views + 1, body = 'y';
SELECT count(*) FROM events;
UPDATE articles SET state = CASE state WHEN 'draft' THEN 'public' ELSE 'draft' END;
SELECT operation, entity_id, changed FROM events ORDER BY entity_id;
CALL arrive();
SELECT key, document FROM held WHERE source = 'capture.articles' ORDER BY key;

-- switches: the option operations, one setting per operation, all at once
CREATE TABLE additions (id int PRIMARY KEY, word text);
SELECT autosync.add_sync('additions', 'mirror', '{"operations": "insert,update"}');
INSERT INTO additions VALUES (1, 'a'), (2, 'b');
CALL arrive();
DELETE FROM additions WHERE id = 1;
UPDATE additions SET word = 'bb' WHERE id = 2;
UPDATE additions SET id = 3 WHERE id = 2;
TRUNCATE additions;
SELECT operation, entity_id FROM events ORDER BY event_id;
CALL arrive();
SELECT key FROM held WHERE source = 'capture.additions';

SET autosync.capture_insert = off;
INSERT INTO articles VALUES (11, 'a', 'a', 'public');
RESET autosync.capture_insert;
SET autosync.capture_update = off;
UPDATE articles SET title = 'b' WHERE id = 11;
RESET autosync.capture_update;
SET autosync.capture_delete = off;
DELETE FROM articles WHERE id = 11;
RESET autosync.capture_delete;
SET autosync.capture_truncate = off;
TRUNCATE seats;
RESET autosync.capture_truncate;
BEGIN;
SET LOCAL autosync.enabled = off;
INSERT INTO articles SELECT i, 'bulk', '', 'public' FROM generate_series(100, 199) AS i;
COMMIT;
SET session_replication_role = replica;
DELETE FROM articles WHERE id = 1;
RESET session_replication_role;
ALTER TABLE articles DISABLE TRIGGER _autosync_mirror;
DELETE FROM articles WHERE id = 2;
ALTER TABLE articles ENABLE TRIGGER _autosync_mirror;
SELECT count(*) FROM events;
SELECT autosync.backfill('articles', 'mirror') > 0 AS requested;
CALL arrive();
SELECT count(*) FROM held WHERE source = 'capture.articles' AND key::int >= 100;

-- who and whence
SET autosync.correlation_id = 'request 7';
INSERT INTO additions VALUES (1, 'a');
BEGIN;
SET LOCAL autosync.correlation_id = 'request "8"';
SET LOCAL autosync.origin = 'elsewhere';
INSERT INTO additions VALUES (2, 'b');
UPDATE additions SET word = 'aa' WHERE id = 1;
COMMIT;
RESET autosync.correlation_id;
SELECT operation, entity_id, correlation_id, origin FROM events ORDER BY event_id;
CALL arrive();
-- no echo: a change that comes from the target does not go back, unless another one of the entity comes together with it
CREATE TABLE echoes (id int PRIMARY KEY, word text);
SELECT autosync.add_sync('echoes', 'mirror', backfill => false);
SET autosync.origin = 'mirror';
INSERT INTO echoes VALUES (3, 'from there'), (4, 'from there');
RESET autosync.origin;
UPDATE echoes SET word = 'from here' WHERE id = 4;
SELECT operation, entity_id, origin FROM events ORDER BY event_id;
CALL arrive();
SELECT key, document FROM held WHERE source = 'capture.echoes';

-- a table that goes before it was looked at leaves nothing to wait for
CREATE TABLE gone (id int PRIMARY KEY);
SELECT autosync.add_sync('gone', 'mirror');
INSERT INTO gone VALUES (1);
DROP TABLE gone;
CALL arrive();
SELECT count(*) FROM events;

SET client_min_messages = warning;
DROP SCHEMA capture CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
