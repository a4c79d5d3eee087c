-- Where one entity stands on its way to one target, in each of the states that there are.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA why;
SET search_path = why;
CREATE TABLE people (id int PRIMARY KEY, name text, active bool DEFAULT true);
CREATE TABLE visits (person int, at date, PRIMARY KEY (person, at));
INSERT INTO people VALUES (1, 'Ada');
SELECT autosync.why('people', '1', 'shelf');
CREATE SERVER shelf FOREIGN DATA WRAPPER autosync_test OPTIONS (fail 'Refused', max_attempts '2', retry_initial_delay '1h');
SELECT * FROM autosync.why('people', '1', 'shelf');
SELECT FROM autosync.add_sync('people', 'shelf', '{"filter": "active"}', backfill => false);
SELECT FROM autosync.add_sync('visits', 'shelf', backfill => false);
SELECT * FROM autosync.why('people', '1', 'shelf');
SELECT autosync.adopt_database();
SELECT autosync.wait_delivered('shelf');
CREATE FUNCTION ask(source regclass, key text) RETURNS TABLE (state text, reason text, dated bool, hint text) LANGUAGE sql AS
    $$SELECT state, regexp_replace(reason, 'retrying at .* because', 'retrying at … because'), since IS NOT NULL, hint FROM autosync.why(source, key, 'shelf')$$;

\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
-- arrived, never noted, no such row, not to be delivered
INSERT INTO people VALUES (2, 'Bob', true), (3, 'Cid', false);
SELECT autosync.wait_delivered('shelf');
SELECT * FROM ask('people', '02');
SELECT * FROM ask('people', '99');
SELECT * FROM ask('people', '3');
SELECT autosync.alter_sync('people', 'shelf', '{"on_filtered": "keep", "on_delete": "keep"}');
SELECT autosync.wait_delivered('shelf');
SELECT * FROM ask('people', '99');
SELECT * FROM ask('people', '3');
SELECT * FROM ask('people', '1');
ALTER TABLE people DISABLE TRIGGER _autosync_shelf;
INSERT INTO people VALUES (4, 'Dan');
SELECT * FROM ask('people', '4');
ALTER TABLE people ENABLE TRIGGER _autosync_shelf;
SELECT * FROM ask('people', '4');

-- refused, given up, discarded, changed since
INSERT INTO people VALUES (5, 'Refused');
CALL await('EXISTS (SELECT FROM autosync.event_log WHERE status = ''RETRYING'')');
SELECT autosync.wait_delivered('shelf', '100ms');
SELECT * FROM ask('people', '5');
UPDATE autosync.exceptions SET next_attempt_at = now();
SELECT autosync.wait_delivered('shelf');
SELECT * FROM ask('people', '5');
SELECT autosync.discard('shelf');
SELECT * FROM ask('people', '5');

-- expired
UPDATE autosync.exceptions SET status = 'EXPIRED';
SELECT * FROM ask('people', '5');

-- waiting: for the target, behind others, marked by hand, behind a TRUNCATE, for a backfill
SELECT autosync.pause('shelf');
UPDATE people SET name = 'Eve' WHERE id = 5;
INSERT INTO visits VALUES (1, '2024-02-29');
SELECT autosync.publish('people', '1');
SELECT key, state, reason, dated FROM (VALUES ('people'::regclass, '5'), ('visits', '{"at": "2024-02-29", "person": 1}'), ('people', '1'), ('people', '2')) AS e (source, key), ask(source, key);
BEGIN;
TRUNCATE visits;
COMMIT;
SELECT state, reason, dated FROM ask('visits', '{"at": "2020-01-01", "person": 7}');
SELECT autosync.resume('shelf');
SELECT autosync.wait_delivered('shelf');
SELECT key, state FROM (VALUES ('people'::regclass, '5'), ('visits', '{"at": "2024-02-29", "person": 1}'), ('people', '1')) AS e (source, key), ask(source, key);
SELECT autosync.pause('shelf');
SELECT autosync.backfill('people', 'shelf') > 0 AS estimated;
SELECT state, reason, dated FROM ask('people', '2');
SELECT autosync.resume('shelf');
SELECT autosync.wait_delivered('shelf');

-- cannot be delivered: the key is not one, a column of the filter is gone
SELECT * FROM ask('people', 'Ada');
SELECT * FROM ask('visits', '7');
ALTER TABLE people DROP COLUMN active;
SELECT * FROM ask('people', '1');
SELECT autosync.why('people', NULL, 'shelf');

-- whom it tells
CREATE ROLE regress_why_other;
GRANT USAGE ON SCHEMA why TO regress_why_other;
SET ROLE regress_why_other;
SELECT autosync.why('people', '1', 'shelf');
RESET ROLE;
CREATE TABLE theirs (id int PRIMARY KEY);
SELECT FROM autosync.add_sync('theirs', 'shelf', backfill => false);
ALTER TABLE theirs OWNER TO regress_why_other;
SET ROLE regress_why_other;
SELECT * FROM autosync.why('theirs', '1', 'shelf');
RESET ROLE;

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA why CASCADE;
DROP ROLE regress_why_other;
