-- transform: a function makes what is sent of the row.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA transform;
SET search_path = transform;
SELECT autosync.add_target('try', 'test://');
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
CREATE TABLE orders (id int PRIMARY KEY, customer text, cents int, note text);
CREATE TABLE items (order_id int REFERENCES orders, place int, name text, PRIMARY KEY (order_id, place));
CREATE FUNCTION order_document(o orders) RETURNS jsonb STABLE LANGUAGE sql
    RETURN CASE WHEN o.cents > 0 THEN jsonb_build_object('customer', upper(o.customer), 'total', o.cents / 100.0, 'items',
        (SELECT coalesce(jsonb_agg(i.name ORDER BY i.place), '[]') FROM transform.items AS i WHERE i.order_id = o.id)) END;
CREATE FUNCTION whole(o orders) RETURNS json LANGUAGE sql RETURN to_json(o.id);
CREATE FUNCTION strange(o orders) RETURNS int LANGUAGE sql RETURN 1;
CREATE VIEW arrived AS SELECT DISTINCT ON (key) key, operation, document FROM autosync.sent WHERE source = 'transform.orders' ORDER BY key, sent_id DESC;
INSERT INTO orders VALUES (1, 'ada', 1050, 'a'), (2, 'bob', 0, 'b');

SELECT autosync.add_sync('orders', 'try', '{"transform": "no_such_function"}');
SELECT autosync.add_sync('orders', 'try', '{"transform": "strange"}');
SELECT autosync.add_sync('orders', 'try', '{"transform": "order_document", "mask": {"note": "null"}}');
SELECT autosync.add_sync('orders', 'try', '{"transform": "order_document", "refresh_on": {"items": "order_id"}, "columns": ["id"]}');
SELECT autosync.wait_delivered();
SELECT * FROM arrived;
-- whatever of the row it reads, and rows of others
UPDATE orders SET customer = 'eve' WHERE id = 1;
UPDATE orders SET cents = 99 WHERE id = 2;
INSERT INTO items VALUES (1, 1, 'tea'), (1, 2, 'milk');
SELECT autosync.wait_delivered();
SELECT * FROM arrived;
-- NULL: the row is not synced
UPDATE orders SET cents = 0 WHERE id = 1;
SELECT autosync.wait_delivered();
SELECT * FROM arrived;
SELECT state FROM autosync.why('orders', '1', 'try');
SELECT body::jsonb -> 0 -> 'document' AS document FROM autosync.preview('orders', '2', 'try');
-- what is no object, and what raises, is that row's trouble
SELECT autosync.alter_sync('orders', 'try', '{"transform": "transform.whole", "max_attempts": 1}');
SELECT autosync.wait_delivered(); -- which does not wait for the others where one is refused
CALL await('NOT EXISTS (SELECT FROM autosync.jobs) AND NOT EXISTS (SELECT FROM autosync.exceptions WHERE status IN (''PENDING'', ''RETRYING''))');
SELECT entity_id, last_error FROM autosync.failed_events ORDER BY 1;
SELECT autosync.discard('try');
CREATE OR REPLACE FUNCTION order_document(o orders) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('share', 1 / (o.id - 2));
SELECT autosync.alter_sync('orders', 'try', '{"transform": "order_document"}');
SELECT autosync.wait_delivered();
CALL await('NOT EXISTS (SELECT FROM autosync.jobs) AND NOT EXISTS (SELECT FROM autosync.exceptions WHERE status IN (''PENDING'', ''RETRYING''))');
SELECT entity_id, last_error FROM autosync.failed_events ORDER BY 1;
SELECT * FROM arrived;
DROP FUNCTION order_document;
SELECT status, detail FROM autosync.health() WHERE status = 'crit';
DROP SCHEMA transform CASCADE;
DROP EXTENSION autosync CASCADE;
