-- refresh_on: an entity follows when rows change that have a say in its document.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA refresh;
SET search_path = refresh;
SELECT autosync.add_target('try', 'test://'), autosync.add_target('other', 'test://');
CREATE VIEW arrived AS
    SELECT DISTINCT ON (target, source, key) target, source, key, operation FROM autosync.sent ORDER BY target, source, key, sent_id DESC;
CREATE TABLE customers (id bigint PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, state text) PARTITION BY RANGE (id);
CREATE TABLE orders_low (state text, customer_id int, spare int, id int NOT NULL);
ALTER TABLE orders_low DROP spare;
ALTER TABLE orders ATTACH PARTITION orders_low FOR VALUES FROM (0) TO (100);
INSERT INTO customers SELECT i, 'c' || i FROM generate_series(1, 4) AS i;

-- errors
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": "orders"}');
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": {"odrers": "customer_id"}}');
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": {"orders": "customer"}}');
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": {"orders": ["id", "customer_id"]}}');
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": {"orders": "state"}}');
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": {"customers": "id"}}');
SELECT autosync.add_sync('customers', 'try', '{"refresh_on": {"orders": 1}}');

-- who has an order is there
SELECT autosync.add_sync('customers', 'try', '{"filter": "EXISTS (SELECT FROM refresh.orders WHERE customer_id = customers.id AND state <> ''void'')",
    "refresh_on": {"orders": "customer_id"}}');
SELECT autosync.wait_delivered();
SELECT tgrelid::regclass AS child, tgname FROM pg_trigger WHERE tgfoid = 'autosync.refresh'::regproc AND tgparentid = 0 ORDER BY tgname;
SELECT * FROM arrived;
INSERT INTO orders VALUES (1, 1, 'new'), (2, 2, 'void'), (3, NULL, 'new');
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived ORDER BY key;
BEGIN;
UPDATE orders SET state = state;
SELECT count(*) AS nothing_changed FROM autosync.captured();
UPDATE orders SET customer_id = 3 WHERE id = 1;
SELECT operation, source, entity_id FROM autosync.captured() ORDER BY entity_id;
UPDATE orders SET state = 'new' WHERE id = 2;
COMMIT;
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived ORDER BY key;
BEGIN;
DELETE FROM orders WHERE id = 2;
SAVEPOINT s;
DELETE FROM orders WHERE id = 1;
ROLLBACK TO s;
COMMIT;
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived ORDER BY key;
SELECT option, value, level FROM autosync.explain_options('customers', 'try') WHERE option = 'refresh_on';

-- switched off it notes nothing; a commit that waits waits for these as well
BEGIN;
SET LOCAL autosync.enabled = off;
UPDATE orders SET state = 'off' WHERE id = 1;
SELECT count(*) FROM autosync.captured();
COMMIT;
SET autosync.delivery = wait;
INSERT INTO orders VALUES (4, 4, 'new');
SELECT key, operation FROM arrived WHERE key = '4';
RESET autosync.delivery;

-- a table that is emptied names nobody any more: all are looked at
TRUNCATE orders;
SELECT autosync.wait_delivered();
SELECT key, operation FROM arrived ORDER BY key;

-- the triggers live as long as a sync asks for them
SELECT autosync.add_sync('customers', 'other', '{"refresh_on": {"refresh.orders": "customer_id"}}');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'autosync.refresh'::regproc AND tgparentid = 0;
SELECT autosync.alter_sync('customers', 'try', '{"refresh_on": null}');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'autosync.refresh'::regproc AND tgparentid = 0;
SELECT autosync.drop_sync('customers', 'other');
SELECT count(*) FROM pg_trigger WHERE tgfoid = 'autosync.refresh'::regproc;
SELECT autosync.drop_sync('customers', 'try');
SET client_min_messages = notice;
CREATE TRIGGER by_hand AFTER INSERT OR UPDATE OR DELETE ON customers
    FOR EACH ROW EXECUTE FUNCTION autosync.capture('try', 'operations=insert,update,delete', 'refresh_on={"orders": "customer_id"}');
SET client_min_messages = warning;

DROP SCHEMA refresh CASCADE;
DROP EXTENSION autosync CASCADE;
