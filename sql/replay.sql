-- replay(): what the retained history tells of since a moment is delivered once more.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA replay;
SET search_path = replay;
SELECT autosync.add_target('old', 'test://') \gset
SELECT autosync.add_target('new', 'test://') \gset
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE elsewhere (id int PRIMARY KEY);
SELECT autosync.add_sync('t', 'old', backfill => false), autosync.add_sync('elsewhere', 'old', backfill => false) \gset
RESET client_min_messages;
\set SHOW_CONTEXT never

INSERT INTO t VALUES (1, 'before');
SELECT autosync.wait_delivered();
SELECT clock_timestamp() AS moment \gset
INSERT INTO t VALUES (2, 'a'), (3, 'b'), (4, 'c'), (5, 'd');
INSERT INTO elsewhere VALUES (1);
SELECT autosync.wait_delivered();
UPDATE t SET v = 'newest' WHERE id = 2;
DELETE FROM t WHERE id = 3;
SELECT autosync.wait_delivered();
-- taken from the old target by hand, which the new one need not know
SELECT autosync.unpublish('t', '4', 'old') \gset
SELECT autosync.wait_delivered();

-- a new consumer gets what has changed since, as it is now
SELECT autosync.add_sync('t', 'new', backfill => false) \gset
SELECT autosync.replay('new', :'moment');
SELECT autosync.wait_delivered();
SELECT key, operation, document ->> 'v' AS v FROM autosync.sent WHERE target = 'new' ORDER BY key, sent_id;
SELECT event_type, operation, entity_id, status FROM autosync.event_log WHERE target = 'new' ORDER BY entity_id;
-- the old one, set back, as well
SELECT max(sent_id) AS last FROM autosync.sent \gset
SELECT autosync.replay('old', :'moment');
SELECT autosync.wait_delivered();
SELECT source, key, operation, document ->> 'v' AS v FROM autosync.sent WHERE target = 'old' AND sent_id > :last ORDER BY source, key, sent_id;
-- nothing since
SELECT autosync.replay('new', clock_timestamp() + interval '1 s');

-- what was kept no more, and errors
SELECT autosync.replay('new', '2000-01-01') > 0 AS some;
SELECT autosync.wait_delivered();
SELECT autosync.replay('nowhere', now());
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.replay('new', NULL);
\echo :LAST_ERROR_SQLSTATE
CREATE ROLE replay_other;
GRANT USAGE ON SCHEMA replay TO replay_other;
SET ROLE replay_other;
SELECT autosync.replay('new', now());
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA replay CASCADE;
DROP ROLE replay_other;
