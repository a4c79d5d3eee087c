-- Changes that a target has not got within event_ttl are given up: those, and nothing newer.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA expiry;
SET search_path = expiry;
SELECT autosync.add_target('try', 'test://') \gset
SELECT autosync.add_target('brief', 'test://', '{"event_ttl": "1h"}') \gset
CREATE TABLE brief (id int PRIMARY KEY, v text);
CREATE TABLE lasting (id int PRIMARY KEY, v text);
RESET client_min_messages;
\set SHOW_CONTEXT never

\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await

SELECT autosync.add_sync('brief', 'try', '{"event_ttl": "a while"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('brief', 'try', '{"event_ttl": "-1s"}');
SELECT autosync.add_sync('brief', 'brief', backfill => false) \gset
SELECT autosync.add_sync('brief', 'try', '{"event_ttl": "2h"}', backfill => false) \gset
SELECT autosync.add_sync('lasting', 'try', backfill => false) \gset

-- precedence: sync, server, setting, built-in
SELECT 'brief' AS source, 'try' AS target, value, level FROM autosync.explain_options('brief', 'try') WHERE option = 'event_ttl'
UNION ALL SELECT 'brief', 'brief', value, level FROM autosync.explain_options('brief', 'brief') WHERE option = 'event_ttl'
UNION ALL SELECT 'lasting', 'try', value, level FROM autosync.explain_options('lasting', 'try') WHERE option = 'event_ttl';
SET autosync.event_ttl = '2min'; -- in this session, which delivers nothing
SELECT value, level FROM autosync.explain_options('lasting', 'try') WHERE option = 'event_ttl';
RESET autosync.event_ttl;

-- As if all that was captured so far had been captured in 2000: the time is the chunk's second to ninth byte.
CREATE PROCEDURE age() LANGUAGE sql AS $$
    UPDATE autosync.log_0 SET data = overlay(data PLACING '\x0100000000000000'::bytea FROM 2 FOR 8);
    UPDATE autosync.log_1 SET data = overlay(data PLACING '\x0100000000000000'::bytea FROM 2 FOR 8);
    UPDATE autosync.log_2 SET data = overlay(data PLACING '\x0100000000000000'::bytea FROM 2 FOR 8);
$$;

-- of the syncs that say so, exactly what is too old; a row that has changed since is not lost
SELECT autosync.pause() \gset
BEGIN;
INSERT INTO brief VALUES (1, 'old'), (2, 'old'), (3, 'gone');
INSERT INTO lasting VALUES (1, 'old');
COMMIT;
SELECT source, target, entity_id, status, expires_at - created_at AS after FROM autosync.event_log ORDER BY source, target, entity_id;
BEGIN;
CALL age();
UPDATE brief SET v = 'new' WHERE id = 2;
INSERT INTO brief VALUES (4, 'new');
COMMIT;
CALL await($$(SELECT count(*) = 6 FROM autosync.event_log WHERE status = 'EXPIRED')$$);
SELECT source, target, entity_id, operation, status, last_error FROM autosync.event_log ORDER BY source, target, entity_id, created_at;
SELECT "check", status, detail FROM autosync.health() WHERE "check" = 'expired';
SELECT target, expired FROM autosync.stat_targets ORDER BY target;
SELECT state, reason, hint FROM autosync.why('brief', '1', 'try');

-- the next change of a row is delivered, and so is what publish() names
SELECT autosync.resume() \gset
SELECT autosync.wait_delivered();
UPDATE brief SET v = 'newest' WHERE id = 1;
SELECT autosync.publish('brief', '3', 'try') \gset
SELECT autosync.wait_delivered();
SELECT target, source, key, operation, document ->> 'v' AS v FROM autosync.sent ORDER BY target, source, key, sent_id;
SELECT source, target, entity_id, operation, status FROM autosync.event_log ORDER BY source, target, entity_id, created_at;

-- what was marked by hand, or refused, expires as well; whoever waits is told
SELECT autosync.pause('try') \gset
SELECT autosync.publish('brief', '4', 'try') \gset
UPDATE autosync.exceptions SET created_at = '2000-01-01' WHERE status = 'PENDING';
CALL await($$EXISTS (SELECT FROM autosync.event_log WHERE status = 'EXPIRED' AND operation = 'publish')$$);
SELECT target, entity_id, operation, status FROM autosync.event_log WHERE operation = 'publish' ORDER BY target, entity_id;
SELECT autosync.resume('try') \gset
SELECT autosync.wait_delivered();

-- where events are told one by one each of them expires by itself; those that are newer are told, what applications say as well
SELECT autosync.add_target('journal', 'test://', '{"event_ttl": "1h"}') \gset
CREATE TABLE orders (id int PRIMARY KEY, status text);
SELECT autosync.add_sync('orders', 'journal', '{"capture": "row"}', backfill => false) \gset
SELECT autosync.pause('journal') \gset
BEGIN;
INSERT INTO orders VALUES (1, 'open'), (2, 'open');
UPDATE orders SET status = 'paid' WHERE id = 1;
SELECT autosync.emit('MAIL_SENT', 'mail', '7', '{"to": "somebody"}', target => 'journal') IS NOT NULL AS emitted;
COMMIT;
CREATE VIEW told AS SELECT entity_type, entity_id, event_type, status, payload ->> 'status' AS order_status, last_error
    FROM autosync.event_log WHERE target = 'journal' ORDER BY entity_type, entity_id, event_id;
SELECT * FROM told;
BEGIN;
CALL age();
UPDATE orders SET status = 'sent' WHERE id = 1;
TRUNCATE orders;
COMMIT;
CALL await($$(SELECT count(*) = 4 FROM told WHERE status = 'EXPIRED')$$);
SELECT * FROM told;
SELECT expired FROM autosync.stat_targets WHERE target = 'journal';
SELECT autosync.resume('journal') \gset
SELECT autosync.wait_delivered('journal');
SELECT event_type, key, document ->> 'status' AS status FROM autosync.sent WHERE target = 'journal' ORDER BY sent_id;
SELECT * FROM told;
-- one that is refused later takes the place of the one that has expired, which stays on record
ALTER SERVER journal OPTIONS (ADD fail 'refused', ADD max_attempts '1');
INSERT INTO orders VALUES (2, 'refused');
SELECT autosync.wait_delivered('journal');
SELECT * FROM told WHERE entity_id = '2';
SET client_min_messages = warning;
DROP SCHEMA expiry CASCADE;
