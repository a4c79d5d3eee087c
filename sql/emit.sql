-- An application's own events, to targets that keep history: told with the transaction, in order with the events of the entity's row.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
DROP ROLE IF EXISTS emit_app, emit_other;
CREATE EXTENSION autosync;
CREATE SCHEMA emitting;
SET search_path = emitting;
CREATE FUNCTION error_of(statement text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;

-- nobody to tell it to
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}')$$);
SELECT autosync.add_target('mirror', 'test://');
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}', target => 'mirror')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}', target => 'nowhere')$$);

SELECT autosync.add_target('journal', 'test://', '{"max_attempts": "1"}');
CREATE TABLE orders (id int PRIMARY KEY, status text);
SELECT autosync.add_sync('orders', 'journal', '{"capture": "row", "entity_type": "order"}', backfill => false);
SELECT autosync.add_sync('orders', 'mirror', backfill => false);
CREATE VIEW told AS SELECT target, source, key, operation, event_type, entity_type, correlation_id, document, place
FROM (SELECT DISTINCT ON (target, event_id) *, sent_id AS place FROM autosync.sent WHERE event_id IS NOT NULL ORDER BY target, event_id, sent_id) AS s; -- each may come again

-- what is missing or too much
SELECT * FROM error_of($$SELECT autosync.emit(NULL, 'order', '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', NULL, '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', NULL, '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('', 'order', '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', E'or\nder', '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit(repeat('P', 256), 'order', '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', repeat('1', 2000), '{}')$$);
SET autosync.max_event_size = '1kB';
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', to_jsonb(repeat('x', 1023)))$$);
RESET autosync.max_event_size;
BEGIN READ ONLY;
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}')$$);
ROLLBACK;

-- with the transaction, or never; in order with the row's events, and those of an entity that no table has
BEGIN;
SET LOCAL autosync.correlation_id = 'request 7';
INSERT INTO orders VALUES (1, 'new');
SELECT autosync.emit('ORDER_CHECKED', 'order', '1', '{"by": "hand", "amount": 12345678901234567890.10}') AS first \gset
SAVEPOINT s;
SELECT autosync.emit('NEVER', 'order', '1', '{}') IS NOT NULL AS told;
ROLLBACK TO s;
UPDATE orders SET status = 'paid' WHERE id = 1;
SELECT autosync.emit('MAIL_SENT', 'mail', 'a "b", "payload": 1', '[1, null]', 42, 'request 8') AS second \gset
SELECT autosync.emit('ORDER_CLOSED', 'order', '1', NULL, target => 'journal') AS third \gset
SELECT target, source, event_type, operation, entity_type, entity_id, correlation_id, payload FROM autosync.captured() WHERE target = 'journal';
COMMIT;
BEGIN;
SELECT autosync.emit('NEVER', 'order', '1', '{}') IS NOT NULL AS told;
ROLLBACK;
SELECT :'first' < :'second' AND :'second' < :'third' AS rising, :'first' ~ '^[0-9a-f]{16}-[0-9a-f]{4}-[0-9a-f]{4}$' AS form;
SELECT autosync.wait_delivered();
SELECT target, source, key, operation, event_type, entity_type, correlation_id, document FROM told WHERE key = '1' ORDER BY place;
SELECT target, source, key, operation, event_type, entity_type, correlation_id, document FROM told WHERE key <> '1' ORDER BY place;
SELECT event_id = :'second' AS id, event_type, source, operation, entity_type, entity_id, payload, changed, source_version, correlation_id, origin, status, attempts,
       created_at <= published_at AND published_at <= completed_at AS times
FROM autosync.event_log WHERE event_type = 'MAIL_SENT';
SELECT event_type, source, entity_type, entity_id, payload, source_version > 1 AS ours, status FROM autosync.event_log WHERE event_id IN (:'first', :'third') ORDER BY event_id;
SELECT source, key, has_pending_changes FROM autosync.sync_status ORDER BY target; -- of rows

-- COMMIT waits until it has arrived; delivery = sync does the same, as events are told in their order
SET autosync.delivery = 'wait';
SELECT autosync.emit('AWAITED', 'order', '1', '1') AS awaited \gset
SELECT count(*) FROM told WHERE event_type = 'AWAITED';
SET autosync.delivery = 'sync';
SELECT autosync.emit('AWAITED', 'mail', 'x', '2') AS awaited \gset
SELECT count(*) FROM told WHERE event_type = 'AWAITED';
UPDATE orders SET status = 'awaited' WHERE id = 1;
SELECT count(*) FROM told WHERE document ->> 'status' = 'awaited';
SELECT count(*) FROM autosync.sent WHERE target = 'journal' AND event_id IS NULL;
RESET autosync.delivery;

-- nobody is told
SET autosync.enabled = off;
SELECT autosync.emit('NEVER', 'order', '1', '{}') IS NULL AS nobody;
RESET autosync.enabled;
SET autosync.origin = 'journal';
SELECT autosync.emit('NEVER', 'order', '1', '{}') IS NULL AS nobody;
SET autosync.origin = 'elsewhere';
SELECT autosync.emit('FROM_ELSEWHERE', 'order', '1', '{}') IS NULL AS nobody;
RESET autosync.origin;
ALTER SERVER journal OPTIONS (ADD enabled 'off');
SELECT autosync.emit('NEVER', 'order', '1', '{}') IS NULL AS nobody;
ALTER SERVER journal OPTIONS (DROP enabled);

-- paused: it waits
SELECT autosync.pause('journal');
SELECT autosync.emit('PAUSED', 'mail', 'p', '{}') AS paused \gset
SELECT status, entity_id, origin FROM autosync.event_log WHERE event_id = :'paused';
SELECT pending > 0 AS pending FROM autosync.stat_targets WHERE target = 'journal';
SELECT autosync.resume('journal');
SELECT autosync.wait_delivered();
SELECT event_type, status, origin FROM autosync.event_log WHERE event_type IN ('PAUSED', 'FROM_ELSEWHERE') ORDER BY event_type;

-- a refused one holds what comes after it of its entity: its row's events as well
TRUNCATE autosync.sent;
ALTER SERVER journal OPTIONS (ADD fail 'poison');
SELECT autosync.emit('ONE', 'order', '1', '"poison"') AS poison \gset
UPDATE orders SET status = 'behind' WHERE id = 1;
SELECT autosync.emit('TWO', 'order', '1', '{}') AS two \gset
SELECT autosync.emit('ONE', 'mail', '1', '"poison"', 7) AS mail \gset
SELECT autosync.emit('TWO', 'mail', '1', '{}') AS two \gset
SELECT autosync.emit('OTHER', 'mail', '2', '{}') AS other \gset
SELECT autosync.wait_delivered();
DO $$ BEGIN
    FOR i IN 1 .. 1500 LOOP
        EXIT WHEN (SELECT count(*) FROM autosync.failed_events) = 2 AND EXISTS (SELECT FROM autosync.sent WHERE event_type = 'OTHER')
            AND (SELECT count(*) FROM autosync.behind) = 3 AND NOT EXISTS (SELECT FROM autosync.event_log WHERE target = 'mirror' AND status <> 'COMPLETED');
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
SELECT event_type, key FROM told ORDER BY place;
SELECT event_id IN (:'poison', :'mail') AS ids, source, event_type, operation, entity_type, entity_id, last_error FROM autosync.failed_events ORDER BY event_id;
SELECT event_type, source, entity_type, entity_id, payload, status FROM autosync.event_log WHERE status <> 'COMPLETED' ORDER BY event_id;
SELECT state, reason FROM autosync.why('orders', '1', 'journal');
SELECT autosync.discard(event_id => :'poison');
ALTER SERVER journal OPTIONS (SET fail 'nothing');
SELECT autosync.retry('journal');
SELECT autosync.wait_delivered();
SELECT event_type, key, document FROM told WHERE entity_type = 'order' ORDER BY place;
SELECT event_type, key, document FROM told WHERE entity_type = 'mail' AND key = '1' ORDER BY place;
SELECT source_version, attempts, status FROM autosync.event_log WHERE event_id = :'mail';
SELECT event_type, entity_id, payload, status FROM autosync.event_log WHERE event_id = :'poison'; -- what came behind has taken its place

-- retained events again, with the ids that they had
TRUNCATE autosync.sent;
SELECT autosync.replay('journal', '-infinity') > 10 AS many;
SELECT autosync.wait_delivered();
SELECT event_type, key, document FROM told WHERE entity_type = 'mail' ORDER BY key, place;
SELECT array_agg(event_type ORDER BY place) FROM told WHERE entity_type = 'order' AND key = '1';
SELECT event_id = :'second' AS id FROM autosync.sent WHERE event_type = 'MAIL_SENT';

-- a large transaction, prepared, whose events go to the log early
BEGIN;
INSERT INTO orders SELECT i, 'bulk' FROM generate_series(100, 110) AS i;
SELECT count(DISTINCT autosync.emit('BULK', 'bulk', (i % 1000)::text, to_jsonb(i))) FROM generate_series(1, 20000) AS i;
UPDATE orders SET status = 'done' WHERE id = 100;
SELECT count(*), count(DISTINCT e) FROM (SELECT event_type, entity_id, payload FROM autosync.captured() WHERE target = 'journal') AS e;
PREPARE TRANSACTION 'emit';
SELECT count(*) FROM autosync.event_log WHERE event_type = 'BULK';
COMMIT PREPARED 'emit';
SELECT autosync.wait_delivered(timeout => '5min');
SELECT count, in_order, count(*) FROM (SELECT count(*), array_agg(document::int ORDER BY place) = array_agg(document::int ORDER BY document::int) AS in_order
FROM told WHERE event_type = 'BULK' GROUP BY key) AS keys GROUP BY count, in_order;
SELECT count(*), count(DISTINCT event_id) FROM autosync.event_log WHERE event_type = 'BULK' AND status = 'COMPLETED';

-- who may, and who sees it
CREATE ROLE emit_app;
CREATE ROLE emit_other;
GRANT USAGE ON SCHEMA emitting TO emit_app, emit_other;
GRANT SELECT ON told TO emit_app;
SET ROLE emit_app;
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}')$$);
SELECT * FROM error_of($$SELECT autosync.emit('PAID', 'order', '1', '{}', target => 'journal')$$);
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER journal TO emit_app;
ALTER SERVER journal OPTIONS (SET fail 'poison');
SET ROLE emit_app;
BEGIN;
SELECT autosync.emit('BY_APP', 'mail', '3', '"poison"') AS mine \gset
SELECT autosync.emit('BY_APP', 'order', '2', '{}') AS mine \gset
SELECT source, event_type, entity_id, payload FROM autosync.captured();
COMMIT;
SELECT autosync.wait_delivered();
DO $$ BEGIN
    FOR i IN 1 .. 1500 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM autosync.event_log WHERE status IN ('PENDING', 'RETRYING'));
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
SELECT entity_type, entity_id, status, payload FROM autosync.event_log ORDER BY event_id;
SELECT event_type FROM autosync.failed_events;
SET ROLE emit_other;
SELECT count(*) FROM autosync.event_log;
SELECT count(*) FROM autosync.failed_events;
SELECT autosync.discard();
SET ROLE emit_app;
SELECT autosync.discard();
RESET ROLE;
SELECT autosync.wait_delivered();

-- every target that keeps history; what is said of an entity whose table is told elsewhere is said there as well
SELECT autosync.add_target('ledger', 'test://');
CREATE TABLE mail (id text PRIMARY KEY);
SELECT autosync.add_sync('mail', 'ledger', '{"capture": "row"}', backfill => false);
TRUNCATE autosync.sent;
SELECT autosync.emit('TO_ALL', 'mail', 'm', '{}') AS all \gset
SELECT autosync.wait_delivered();
SELECT target, source, key, event_type, event_id = :'all' AS same FROM autosync.sent ORDER BY target;
SELECT target, source, status FROM autosync.event_log WHERE event_id = :'all' ORDER BY target;

-- when the table is synced no more it is told all the same, and what waits goes with the server
SELECT autosync.pause('ledger');
SELECT autosync.emit('LATE', 'mail', 'm', '{}', target => 'ledger') AS late \gset
SELECT autosync.drop_sync('mail', 'ledger');
SELECT autosync.resume('ledger');
SELECT autosync.wait_delivered('ledger');
SELECT source, key, event_type FROM autosync.sent WHERE target = 'ledger' ORDER BY sent_id;
SELECT * FROM error_of($$SELECT autosync.emit('LATE', 'mail', 'm', '{}', target => 'ledger')$$);

-- event types that are made of tables: rows of a join table are relationships
CREATE TABLE parts (id int PRIMARY KEY);
CREATE TABLE contains (whole int REFERENCES orders, part int REFERENCES parts, PRIMARY KEY (whole, part));
SELECT autosync.add_sync('contains', 'journal', '{"capture": "row"}', backfill => false);
SELECT autosync.add_sync('parts', 'journal', '{"capture": "row"}', backfill => false);
TRUNCATE autosync.sent;
INSERT INTO parts VALUES (1), (2);
INSERT INTO contains VALUES (1, 1);
UPDATE contains SET part = 2;
DELETE FROM contains;
DELETE FROM parts WHERE id = 2;
TRUNCATE parts, contains;
SELECT autosync.emit('PACKED', 'contains', '{"whole": 1, "part": 1}', '{}') AS packed \gset
SELECT autosync.wait_delivered();
SELECT event_type, entity_type, operation, key FROM told WHERE source = 'emitting.contains' ORDER BY key, place;
SELECT event_type, entity_type, operation, key FROM told WHERE source = 'emitting.parts' ORDER BY key, place;

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA emitting CASCADE;
DROP ROLE emit_app, emit_other;
