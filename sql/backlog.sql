-- A long backlog: what is marked many times over is sent with its insertion and once more, and all that happened is told.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA backlog;
SET search_path = backlog;
SELECT autosync.add_target('try', 'test://', '{"batch_size": 50}') \gset
SELECT autosync.add_target('other', 'test://') \gset
CREATE TABLE things (id int PRIMARY KEY, n int NOT NULL);
SELECT autosync.add_sync('things', 'try') \gset
SELECT autosync.wait_delivered();
CREATE VIEW last AS SELECT DISTINCT ON (key) key::int, operation, (document ->> 'n')::int AS n FROM autosync.sent ORDER BY key, sent_id DESC;
CREATE VIEW wrong AS SELECT id, key FROM things FULL JOIN (SELECT * FROM last WHERE operation = 'upsert') AS l ON id = key WHERE l.n IS DISTINCT FROM things.n OR id IS NULL;
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
SELECT autosync.pause('try');
INSERT INTO things SELECT i, 0 FROM generate_series(1, 1000) AS i;
UPDATE things SET n = 1;
UPDATE things SET n = 2;
UPDATE things SET n = 3 WHERE id <= 500;
DELETE FROM things WHERE id > 900;
INSERT INTO things SELECT i, 4 FROM generate_series(991, 1000) AS i;
UPDATE things SET id = id + 1000 WHERE id <= 10;
UPDATE things SET n = 5 WHERE id > 990;
SELECT autosync.resume('try');
SELECT autosync.wait_delivered(timeout => '5min');
SELECT count(*) FROM wrong;
SELECT count(*) <= 2 * count(DISTINCT key) AS at_most_twice, count(DISTINCT key) AS keys FROM autosync.sent WHERE key::int BETWEEN 11 AND 900;
SELECT operation, status, count(*), bool_and(created_at <= published_at AND published_at <= completed_at) AS in_order FROM autosync.event_log GROUP BY 1, 2 ORDER BY 1;
-- what comes later than the stretch is another one
UPDATE things SET n = 6;
SELECT autosync.wait_delivered();
SELECT count(*) FROM wrong;
SELECT count(*) AS sent, count(DISTINCT key) AS keys FROM autosync.sent WHERE key::int BETWEEN 11 AND 900 AND (document ->> 'n')::int = 6;
-- refused rows are not taken for arrived ones
ALTER SERVER try OPTIONS (ADD fail '"n": 7\M', ADD max_attempts '1');
SELECT autosync.pause('try');
UPDATE things SET n = 7 WHERE id <= 900 AND id % 100 = 0;
UPDATE things SET n = 8 WHERE id <= 900 AND id % 100 <> 0;
UPDATE things SET n = 8 WHERE id <= 900 AND id % 200 <> 0;
SELECT autosync.resume('try');
CALL await('(SELECT sum(pending + retrying) = 0 FROM autosync.stat_targets)');
SELECT entity_id FROM autosync.failed_events ORDER BY entity_id::int;
SELECT * FROM wrong ORDER BY 1;
DROP SCHEMA backlog CASCADE;
DROP EXTENSION autosync CASCADE;
