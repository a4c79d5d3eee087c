-- lane: syncs that share limits of their own and are paused together; and a sync that overrides the limits of its server.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA lane;
SET search_path = lane;
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
SELECT autosync.add_target('try', 'test://');
SELECT autosync.add_target('other', 'test://');
CREATE TABLE a (id int PRIMARY KEY, v text);
CREATE TABLE b (LIKE a INCLUDING ALL);
CREATE TABLE c (LIKE a INCLUDING ALL);
CREATE VIEW arrived AS SELECT source, count(DISTINCT key) FROM autosync.sent WHERE target = 'try' GROUP BY source ORDER BY source;
SELECT autosync.add_sync('a', 'try', '{"lane": "bulk"}'), autosync.add_sync('b', 'try', '{"lane": "bulk"}'), autosync.add_sync('c', 'try'),
       autosync.add_sync('a', 'other');

-- paused together, alone
SELECT autosync.pause(lane => 'no such lane');
SELECT autosync.pause('other', 'bulk');
SELECT autosync.pause(lane => 'bulk');
INSERT INTO a VALUES (1, 'x');
INSERT INTO b VALUES (1, 'x');
INSERT INTO c VALUES (1, 'x');
SET autosync.delivery = wait;
INSERT INTO c VALUES (2, 'x');
RESET autosync.delivery;
SELECT * FROM arrived;
SELECT autosync.wait_delivered('other');
SELECT state, reason, hint FROM autosync.why('a', '1', 'try');
CALL await('NOT EXISTS (SELECT FROM autosync.jobs WHERE source = ''c''::regclass)');
SELECT state FROM autosync.why('c', '1', 'try');
SELECT "check", status, detail, hint FROM autosync.health() WHERE "check" LIKE 'lane%' ORDER BY 1;
SELECT target, state, pending, paused_lanes FROM autosync.stat_targets ORDER BY target;
SELECT autosync.publish('b', '1');
SELECT autosync.backfill('a', 'try') > 0 AS asked;
SELECT autosync.wait_delivered('try', '300ms');
SELECT * FROM arrived;
SELECT autosync.resume('try');
SELECT paused_lanes FROM autosync.stat_targets WHERE target = 'try';
SELECT autosync.resume(lane => 'bulk');
SELECT autosync.wait_delivered('try');
SELECT * FROM arrived;
SELECT state, pending, paused_lanes FROM autosync.stat_targets WHERE target = 'try';
SELECT "check" FROM autosync.health() WHERE "check" LIKE 'lane%';

-- A lane that may send little delays no other, and has sent no more than it may.
SELECT autosync.alter_sync('a', 'try', '{"rate_limit": 1, "batch_size": 1}'), autosync.alter_sync('b', 'try', '{"batch_size": 1, "rate_limit": 1000}');
TRUNCATE autosync.sent;
INSERT INTO a SELECT i, 'slow' FROM generate_series(101, 112) AS i;
INSERT INTO b SELECT i, 'slow' FROM generate_series(101, 112) AS i;
SET autosync.delivery = wait;
INSERT INTO c VALUES (3, 'quick');
RESET autosync.delivery;
SELECT count(*) < 24 AS not_yet FROM autosync.sent WHERE target = 'try' AND document ->> 'v' = 'slow';
CALL await('(SELECT clock_timestamp() - min(sent_at) > interval ''1 s'' FROM autosync.sent WHERE target = ''try'' AND document ->> ''v'' = ''slow'')');
SELECT autosync.alter_sync('a', 'try', '{"rate_limit": 10}');
SELECT autosync.wait_delivered('try');
SELECT count(DISTINCT (source, key)) FROM autosync.sent WHERE target = 'try' AND document ->> 'v' = 'slow';
-- 24 requests, one a second, then ten
SELECT max(sent_at) - min(sent_at) > interval '1 s' AS paced FROM autosync.sent WHERE target = 'try' AND document ->> 'v' = 'slow';

-- of its own
SELECT option, value, level FROM autosync.explain_options('a', 'try') WHERE option IN ('rate_limit', 'max_in_flight', 'lane', 'request_timeout') ORDER BY 1;
SELECT autosync.alter_sync('c', 'try', '{"max_in_flight": 2, "request_timeout": "5s", "rate_limit": 20, "batch_size": 5}');
INSERT INTO c SELECT i, 'own' FROM generate_series(101, 200) AS i;
SELECT autosync.wait_delivered('try');
SELECT count(DISTINCT key) FROM autosync.sent WHERE document ->> 'v' = 'own';

-- what cannot be
SELECT autosync.alter_sync('c', 'try', '{"lane": ""}');
SELECT autosync.alter_sync('c', 'try', '{"rate_limit": -1}');
SELECT autosync.alter_sync('c', 'try', '{"max_in_flight": 0}');
SELECT autosync.alter_sync('c', 'try', '{"request_timeout": "soon"}');

-- retry delays of a sync
SELECT autosync.alter_sync('c', 'try', '{"retry_initial_delay": "10ms", "retry_max_delay": "20ms", "max_attempts": 3}');
ALTER SERVER try OPTIONS (ADD fail 'bad', ADD retry_initial_delay '1h', ADD retry_max_delay '1h');
INSERT INTO c VALUES (300, 'bad');
INSERT INTO a VALUES (300, 'bad');
CALL await('EXISTS (SELECT FROM autosync.failed_events WHERE source = ''lane.c'') AND EXISTS (SELECT FROM autosync.event_log WHERE status = ''RETRYING'' AND source = ''lane.a'')');
SELECT source, attempts FROM autosync.failed_events;
SELECT source, status, next_attempt_at > now() + interval '20 min' AS later FROM autosync.event_log WHERE status = 'RETRYING';
DROP SCHEMA lane CASCADE;
DROP EXTENSION autosync CASCADE;
