-- A target that keeps history is told of every event, per entity in the order of commits: autosync_test with capture = row.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA history;
SET search_path = history;
SELECT autosync.add_target('journal', 'test://');
CREATE TABLE orders (id int PRIMARY KEY, status text, secret text, email text);
SELECT autosync.add_sync('orders', 'journal', '{"capture": "row", "exclude": "secret", "mask": {"email": "gone"}, "filter": "status <> ''draft''", "entity_type": "order"}', backfill => false);
CREATE VIEW told AS SELECT key, operation, event_type, entity_type, correlation_id, unclear, document
FROM (SELECT DISTINCT ON (event_id) * FROM autosync.sent WHERE event_id IS NOT NULL ORDER BY event_id, sent_id) AS s ORDER BY sent_id; -- each may come again

CREATE FUNCTION wait_for(events int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 1500 LOOP
        IF (SELECT count(DISTINCT event_id) FROM autosync.sent) >= events THEN
            RETURN (SELECT count(DISTINCT event_id) FROM autosync.sent) = events;
        END IF;
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN false;
END $$;

-- nothing is collapsed; a draft is not told, nor what was rolled back
BEGIN;
SET LOCAL autosync.correlation_id = 'request 7';
INSERT INTO orders VALUES (1, 'open', 'hush', 'a@b'), (2, 'draft', NULL, NULL);
UPDATE orders SET status = 'paid' WHERE id = 1;
SAVEPOINT s;
UPDATE orders SET status = 'never' WHERE id = 1;
ROLLBACK TO s;
UPDATE orders SET id = 3 WHERE id = 1;
DELETE FROM orders WHERE id = 3;
COMMIT;
TRUNCATE orders;
INSERT INTO orders VALUES (1, 'again', NULL, NULL);
SELECT autosync.wait_delivered();
SELECT * FROM told;
SELECT e.event_type, e.status, s.event_id IS NOT NULL AS told, e.payload FROM autosync.event_log AS e LEFT JOIN (SELECT DISTINCT event_id FROM autosync.sent) AS s USING (event_id) ORDER BY e.event_id;

-- a refused event holds what comes after it of its own entity only
TRUNCATE autosync.sent;
ALTER SERVER journal OPTIONS (ADD fail 'poison', ADD max_attempts '1');
INSERT INTO orders VALUES (10, 'one', NULL, NULL), (11, 'one', NULL, NULL);
UPDATE orders SET status = 'poison' WHERE id = 10;
UPDATE orders SET status = 'three' WHERE id = 10;
UPDATE orders SET status = 'two' WHERE id = 11;
SELECT autosync.wait_delivered();
UPDATE orders SET status = 'four' WHERE id = 10;
UPDATE orders SET status = 'three' WHERE id = 11;
SELECT wait_for(4);
DO $$BEGIN FOR i IN 1 .. 500 LOOP EXIT WHEN (SELECT count(*) = 3 FROM autosync.event_log WHERE status <> 'COMPLETED'); COMMIT; PERFORM pg_sleep(0.02); END LOOP; END$$;
SELECT key, operation, document ->> 'status' AS status FROM told ORDER BY key;
SELECT entity_id, status, last_error, payload ->> 'status' AS state FROM autosync.event_log WHERE status <> 'COMPLETED' ORDER BY event_id;
SELECT event_type, entity_id, last_error FROM autosync.failed_events;
ALTER SERVER journal OPTIONS (SET fail 'nothing');
SELECT autosync.retry();
SELECT autosync.wait_delivered();
SELECT key, operation, document ->> 'status' AS status FROM told WHERE key = '10';
-- or, when it is discarded, what comes after it goes on
ALTER SERVER journal OPTIONS (SET fail 'poison');
UPDATE orders SET status = 'poison' WHERE id = 10;
UPDATE orders SET status = 'six' WHERE id = 10;
SELECT autosync.wait_delivered();
SELECT autosync.discard();
SELECT autosync.wait_delivered();
SELECT key, operation, document ->> 'status' AS status FROM told WHERE key = '10';

ALTER SERVER journal OPTIONS (SET fail 'nothing');
-- what was too large to be carried is read when it is told
CREATE TABLE notes (id int PRIMARY KEY, body text);
SELECT autosync.add_sync('notes', 'journal', '{"capture": "row"}', backfill => false);
SET autosync.max_event_size = '1kB';
INSERT INTO notes VALUES (1, repeat('x', 2000));
RESET autosync.max_event_size;
SELECT autosync.wait_delivered();
SELECT key, operation, length(document ->> 'body') FROM told WHERE event_type LIKE 'NOTES%';

-- COMMIT waits until the events have arrived
SET autosync.delivery = 'wait';
INSERT INTO notes VALUES (2, 'awaited');
SELECT count(DISTINCT event_id) FROM autosync.sent WHERE document ->> 'body' = 'awaited';
RESET autosync.delivery;

-- retained events again, with the ids that they had
TRUNCATE autosync.sent;
SELECT autosync.replay('journal', '-infinity') > 0 AS some;
SELECT autosync.wait_delivered();
SELECT key, array_agg(operation || ' ' || (document ->> 'status') ORDER BY sent_id) FROM (SELECT DISTINCT ON (event_id) * FROM autosync.sent ORDER BY event_id, sent_id) AS s
WHERE key IN ('1', '3', '10') AND entity_type = 'order' GROUP BY key ORDER BY key;

-- it holds no rows
SELECT autosync.publish('orders', '1');
SELECT autosync.unpublish('orders', '1');

-- nor does it gather or follow others
SELECT autosync.alter_sync('notes', 'journal', '{"debounce": "1s"}');
SELECT autosync.alter_sync('notes', 'journal', '{"refresh_on": {"orders": "id"}}');

-- rows that exist are told as states
SELECT autosync.backfill('notes', 'journal') IS NOT NULL AS asked;
SELECT autosync.wait_delivered();
SELECT key, operation, event_type, document ->> 'body' = repeat('x', 2000) AS long FROM autosync.sent WHERE source = 'history.notes' ORDER BY sent_id DESC LIMIT 2;

-- a mirror and a journal of one table; the same table as both in turn
SELECT autosync.alter_sync('notes', 'journal', '{"capture": "key"}');
UPDATE notes SET body = 'mirrored' WHERE id = 2;
SELECT autosync.wait_delivered();
SELECT operation, event_id IS NULL AS state FROM autosync.sent ORDER BY sent_id DESC LIMIT 1;
SELECT autosync.alter_sync('notes', 'journal', '{"capture": "row"}');
UPDATE notes SET body = 'told' WHERE id = 2;
SELECT autosync.wait_delivered();
SELECT DISTINCT operation, event_id IS NULL AS state FROM autosync.sent WHERE document ->> 'body' = 'told' AND event_id IS NOT NULL;

-- a row that the table does not take any more is a dead letter with a reason
SELECT autosync.add_target('other', 'test://') \gset
SELECT autosync.pause('journal');
UPDATE orders SET status = 'seven' WHERE id = 11;
ALTER TABLE orders ALTER COLUMN status TYPE int USING 0;
SELECT autosync.alter_sync('orders', 'journal', '{"filter": null}');
SELECT autosync.resume('journal');
SELECT autosync.wait_delivered();
SELECT entity_id, last_error FROM autosync.failed_events;
SELECT autosync.discard();

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA history CASCADE;
