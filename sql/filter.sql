-- A filter decides which rows a target has, on the newest committed row and with the rights of the table's owner.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA filter;
SET search_path = filter;
SELECT autosync.add_target('try', 'test://') \gset
CREATE VIEW arrived AS
    SELECT DISTINCT ON (source, key) source, key, operation, document FROM autosync.sent ORDER BY source, key, sent_id DESC;

\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
-- a row comes and goes with the condition; the column may be named with its table, and end in a comment
CREATE TABLE orders (id int PRIMARY KEY, status text, divisor int);
SELECT autosync.add_sync('orders', 'try', '{"filter": "status = ''open'' AND orders.id > 0 -- only these"}', backfill => false);
INSERT INTO orders VALUES (1, 'open', 1), (2, 'new', 1), (3, NULL, 1), (-1, 'open', 1);
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE operation = 'upsert' ORDER BY key;
UPDATE orders SET status = CASE id WHEN 1 THEN 'done' ELSE 'open' END WHERE id IN (1, 2);
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE key IN ('1', '2') ORDER BY key;

-- on_filtered = keep: what was there stays
SELECT autosync.alter_sync('orders', 'try', '{"on_filtered": "keep"}') \gset
SELECT autosync.wait_delivered('try');
UPDATE orders SET status = 'done' WHERE id = 2;
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE key = '2';

-- a condition that raises parks its row only
SELECT autosync.drop_sync('orders', 'try');
SELECT autosync.add_sync('orders', 'try', '{"filter": "1 / divisor > 0", "max_attempts": "1"}', backfill => false);
INSERT INTO orders SELECT i, 'many', CASE WHEN i = 50 THEN 0 ELSE 1 END FROM generate_series(10, 99) AS i;
SELECT autosync.wait_delivered('try');
SELECT count(*) FROM arrived WHERE operation = 'upsert' AND document ->> 'status' = 'many';
SELECT key, last_error FROM autosync.exceptions WHERE source = 'orders'::regclass;
SELECT autosync.discard('try');
UPDATE orders SET divisor = 1 WHERE id = 50;
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE key = '50';

-- whose rights, and with which search_path
CREATE ROLE regress_filter_owner;
GRANT CREATE, USAGE ON SCHEMA filter TO regress_filter_owner;
GRANT USAGE ON FOREIGN SERVER try TO regress_filter_owner;
CREATE TABLE seen (who name, path text);
GRANT INSERT ON seen TO regress_filter_owner;
CREATE FUNCTION witness(int) RETURNS bool LANGUAGE plpgsql VOLATILE AS
    $$BEGIN INSERT INTO filter.seen VALUES (current_user, current_setting('search_path')); RETURN true; END$$;
SET ROLE regress_filter_owner;
CREATE TABLE mine (id int PRIMARY KEY);
SELECT autosync.add_sync('mine', 'try', '{"filter": "filter.witness(id)"}', backfill => false);
INSERT INTO mine VALUES (1);
RESET ROLE;
SELECT autosync.wait_delivered('try');
SELECT DISTINCT who, path FROM seen;

-- row security never decides what is synced: where it would, the table stays behind, the others do not
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
INSERT INTO mine VALUES (2);
SELECT autosync.wait_delivered('try');
SELECT count(*) FROM arrived WHERE source = 'filter.mine' AND operation = 'upsert';
ALTER TABLE mine FORCE ROW LEVEL SECURITY;
INSERT INTO mine VALUES (3);
INSERT INTO orders VALUES (1000, 'other', 1);
CALL await('EXISTS (SELECT FROM arrived WHERE key = ''1000'')');
SELECT autosync.wait_delivered('try', '3s');
SELECT source, key FROM arrived WHERE key IN ('3', '1000') AND operation = 'upsert' ORDER BY source, key;
ALTER TABLE mine NO FORCE ROW LEVEL SECURITY;
SELECT autosync.wait_delivered('try');
SELECT source, key FROM arrived WHERE source = 'filter.mine' AND key = '3' AND operation = 'upsert';

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA filter CASCADE;
DROP OWNED BY regress_filter_owner;
DROP ROLE regress_filter_owner;
