-- forget(): one entity is erased everywhere, and not sent again until somebody publishes it.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA forget;
SET search_path = forget;
SELECT autosync.add_target('one', 'test://') \gset
SELECT autosync.add_target('two', 'test://', '{"fail": "secret", "max_attempts": 1}') \gset
CREATE VIEW arrived AS
    SELECT DISTINCT ON (target, key) target, key, operation, document FROM autosync.sent ORDER BY target, key, sent_id DESC;
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob');
SELECT autosync.add_sync('people', 'one'), autosync.add_sync('people', 'two');
SELECT autosync.wait_delivered();
UPDATE people SET name = name || '!';
SELECT autosync.wait_delivered();
SELECT entity_id, target, status FROM autosync.event_log ORDER BY entity_id, target;

-- also where the target refuses what comes next: the dead letter goes with it
UPDATE people SET name = 'Ada''s secret' WHERE id = 1;
SELECT autosync.wait_delivered('one'), autosync.wait_delivered('two');
SELECT target, entity_id, request IS NOT NULL AS tells FROM autosync.failed_events;
SELECT target, state, detail, erased_at IS NOT NULL AS done FROM autosync.forget('people', '1');
SELECT * FROM arrived ORDER BY target, key;
SELECT count(*) FROM autosync.sent WHERE key = '1' AND document IS NOT NULL;
SELECT count(*) FROM autosync.failed_events;
SELECT count(*) FILTER (WHERE entity_id = '1') AS told, count(*) FILTER (WHERE entity_id = '2') > 0 AS others FROM autosync.event_log;
SELECT state, reason, hint FROM autosync.why('people', '1', 'one');
SELECT * FROM autosync.diff('people', '1', 'one');

-- whatever becomes of the row
UPDATE people SET name = 'Eve' WHERE id IN (1, 2);
SELECT autosync.backfill('people') >= 0 AS asked;
SELECT autosync.wait_delivered();
SELECT * FROM arrived ORDER BY target, key;
DELETE FROM people WHERE id = 1;
INSERT INTO people VALUES (1, 'Zoe');
SELECT autosync.wait_delivered();
SELECT count(*) FROM autosync.event_log WHERE entity_id = '1';
SELECT * FROM arrived WHERE key = '1' ORDER BY target;

-- until it is published: there first, then everywhere
SELECT autosync.publish('people', '1', 'one');
SELECT autosync.wait_delivered();
SELECT * FROM arrived WHERE key = '1' ORDER BY target;
SELECT autosync.publish('people', '1');
SELECT autosync.wait_delivered();
UPDATE people SET name = 'Zoë' WHERE id = 1;
SELECT autosync.wait_delivered();
SELECT * FROM arrived WHERE key = '1' ORDER BY target;

-- it outlives a rollback, and what was sent of a row that is gone goes as well
SELECT autosync.alter_sync('people', 'one', '{"on_delete": "keep"}');
DELETE FROM people WHERE id = 2;
SELECT autosync.wait_delivered();
BEGIN;
SELECT target, state FROM autosync.forget('people', '2');
ROLLBACK;
SELECT target, key, operation FROM arrived WHERE key = '2' ORDER BY target;

-- who does not wait is told what is in the way; once that is over, asking again gives the receipt
CREATE FUNCTION impatient() RETURNS TABLE (target name, state text, detail text) LANGUAGE plpgsql AS $$
DECLARE
    patience interval := '200ms';
    receipts jsonb;
BEGIN
    LOOP -- as long as the target takes that is not in the way
        BEGIN
            SELECT jsonb_agg(f) INTO receipts FROM autosync.forget('people', '1', patience) AS f;
        EXCEPTION WHEN object_not_in_prerequisite_state THEN -- no worker has heard of it in time
            receipts := '[]';
        END;
        EXIT WHEN receipts @> '[{"state": "erased"}]' OR patience > '10s';
        patience := 2 * patience;
    END LOOP;
    RETURN QUERY SELECT r.* FROM jsonb_to_recordset(receipts) AS r (target name, state text, detail text);
END $$;
SELECT autosync.pause('two');
SELECT * FROM impatient();
SELECT operation FROM arrived WHERE target = 'two' AND key = '1';
SELECT autosync.resume('two');
SELECT target, state FROM autosync.forget('people', '1');

-- errors
SELECT autosync.forget('people', 'x');
SELECT autosync.forget('people', NULL);
SELECT autosync.forget('pg_class', '1');
SELECT autosync.drop_sync('people', 'one'), autosync.drop_sync('people', 'two');
SELECT autosync.forget('people', '1');

DROP SCHEMA forget CASCADE;
DROP EXTENSION autosync CASCADE;
