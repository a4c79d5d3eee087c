-- on_delete as a condition: what a row was when it was deleted decides whether it stays at the target.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA on_delete;
SET search_path = on_delete;
SELECT autosync.add_target('try', 'test://') \gset
SELECT autosync.add_target('other', 'test://') \gset
CREATE VIEW arrived AS
    SELECT DISTINCT ON (target, source, key) target, source, key, operation FROM autosync.sent ORDER BY target, source, key, sent_id DESC;

-- checked when it is declared: one condition, of the columns, which holds for a row that is no row of the table any more
CREATE TABLE orders (id int PRIMARY KEY, state text, total numeric, gone bool NOT NULL DEFAULT false);
SELECT autosync.add_sync('orders', 'try', '{"on_delete": "explode"}');
SELECT autosync.add_sync('orders', 'try', '{"on_delete": "true) OR (true"}');
SELECT autosync.add_sync('orders', 'try', '{"on_delete": "ctid IS NOT NULL"}');
SELECT autosync.add_sync('orders', 'try', '{"on_delete": "total"}');

-- asked of each row that is deleted, also when the key changes hands; another sync of the table has its own say
INSERT INTO orders SELECT i, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'draft' END, 100 / i FROM generate_series(1, 6) AS i;
SELECT autosync.add_sync('orders', 'other', '{"on_delete": "keep"}');
SELECT autosync.add_sync('orders', 'try', '{"on_delete": "state <> ''paid'' -- else the books do not add up"}');
SELECT autosync.wait_delivered();
DELETE FROM orders WHERE id IN (1, 2);
UPDATE orders SET state = 'draft' WHERE id = 4;
DELETE FROM orders WHERE id = 4;
UPDATE orders SET id = 60 WHERE id = 6;
BEGIN;
DELETE FROM orders WHERE id = 3;
INSERT INTO orders VALUES (3, 'paid', 1);
DELETE FROM orders WHERE id = 5;
SAVEPOINT s;
DELETE FROM orders WHERE id = 3;
ROLLBACK TO s;
COMMIT;
SELECT autosync.wait_delivered();
SELECT target, key, operation FROM arrived ORDER BY target, key COLLATE "C";
SELECT key, state, reason FROM unnest('{1,2}'::text[]) AS key, autosync.why('orders', key, 'try');

-- a row that goes otherwise was not asked, and stays; what is there again follows
TRUNCATE orders;
INSERT INTO orders VALUES (3, 'open', 7);
SELECT autosync.wait_delivered();
SELECT target, key, operation FROM arrived ORDER BY target, key COLLATE "C";

-- also for rows that count as deleted, as long as they are there
SELECT autosync.alter_sync('orders', 'try', '{"soft_delete": "gone"}');
INSERT INTO orders VALUES (11, 'paid', 1), (12, 'draft', 1);
SELECT autosync.wait_delivered();
UPDATE orders SET gone = true WHERE id IN (11, 12);
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived WHERE target = 'try' AND key IN ('11', '12') ORDER BY key;
UPDATE orders SET state = 'void' WHERE id = 11;
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived WHERE target = 'try' AND key = '11';

-- a condition that raises fails no statement; the row as a whole, functions with the rights of the table's owner, partitions
CREATE ROLE on_delete_owner;
GRANT USAGE, CREATE ON SCHEMA on_delete TO on_delete_owner;
CREATE TABLE kept (id int);
INSERT INTO kept VALUES (2);
GRANT SELECT ON kept TO on_delete_owner;
GRANT USAGE ON FOREIGN SERVER try TO on_delete_owner;
SET ROLE on_delete_owner;
CREATE TABLE parts (id int PRIMARY KEY, amount int) PARTITION BY RANGE (id);
CREATE TABLE parts_low (amount int, spare int, id int NOT NULL);
ALTER TABLE parts_low DROP spare;
ALTER TABLE parts ATTACH PARTITION parts_low FOR VALUES FROM (0) TO (10);
CREATE FUNCTION removable(part parts) RETURNS bool LANGUAGE sql
    RETURN 10 / part.amount > 0 AND current_user = 'on_delete_owner' AND NOT EXISTS (SELECT FROM on_delete.kept WHERE kept.id = part.id);
SELECT autosync.add_sync('parts', 'try', '{"on_delete": "on_delete.removable(parts)"}');
RESET ROLE;
INSERT INTO parts VALUES (1, 1), (2, 1), (3, 0);
SELECT autosync.wait_delivered();
SET client_min_messages = notice;
DELETE FROM parts;
SET client_min_messages = warning;
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived WHERE source = 'on_delete.parts' ORDER BY key;
SELECT autosync.unpublish('parts', '3');
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived WHERE source = 'on_delete.parts' AND key = '3';

SELECT autosync.drop_sync('orders', 'try');
DROP SCHEMA on_delete CASCADE;
DROP EXTENSION autosync CASCADE;
DROP OWNED BY on_delete_owner;
DROP ROLE on_delete_owner;
