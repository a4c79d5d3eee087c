-- debounce: changes of one entity are gathered for a while, and delivered once.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA debounce;
SET search_path = debounce;
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
SELECT autosync.add_target('slow', 'test://', '{"debounce": "1h", "fail": "bad", "max_attempts": 1}'), autosync.add_target('soon', 'test://');
CREATE TABLE drafts (id int PRIMARY KEY, body text);
SELECT autosync.add_sync('drafts', 'slow', '{"delivery": "wait", "debounce": "1s"}');
SELECT autosync.add_sync('drafts', 'slow', '{"debounce": "soon"}');
SELECT autosync.add_sync('drafts', 'slow', '{"on_delete": "keep"}'), autosync.add_sync('drafts', 'soon', '{"debounce": "2h"}');
SELECT autosync.wait_delivered();
SELECT option, value, level, origin FROM autosync.explain_options('drafts', 'slow') WHERE option = 'debounce';
SELECT option, value, level, origin FROM autosync.explain_options('drafts', 'soon') WHERE option = 'debounce';

-- many changes are one delivery, that of the last; no commit waits for it
SET autosync.delivery = wait;
INSERT INTO drafts VALUES (1, 'D');
UPDATE drafts SET body = 'De';
UPDATE drafts SET body = 'Dear';
INSERT INTO drafts VALUES (2, 'x');
DELETE FROM drafts WHERE id = 2;
RESET autosync.delivery;
CALL await('(SELECT sum(pending) = 3 FROM autosync.stat_targets)'); -- what is gathered: at one of them the deleted row stays
UPDATE autosync.exceptions SET next_attempt_at = clock_timestamp() WHERE target = 'soon'; -- as if its time were over
SELECT autosync.wait_delivered('soon');
SELECT key, operation, document FROM autosync.sent WHERE target = 'soon' ORDER BY key, sent_id;
SELECT autosync.wait_delivered('slow', '100ms');
SELECT state, regexp_replace(reason, 'until .*', 'until …') AS reason FROM autosync.why('drafts', '1', 'slow');
SELECT entity_id, operation, status, attempts, created_at < next_attempt_at - interval '59 minutes' AS later FROM autosync.event_log WHERE status <> 'COMPLETED' AND target = 'slow';
SELECT target, pending FROM autosync.stat_targets ORDER BY target;
SELECT count(*) FROM autosync.sent WHERE target = 'slow';

-- declared otherwise, what comes is delivered at once, with what was gathered; what was refused is tried with it
ALTER SERVER slow OPTIONS (SET debounce '0');
UPDATE drafts SET body = 'Dear all';
SELECT autosync.wait_delivered('slow');
SELECT key, operation, document FROM autosync.sent WHERE target = 'slow' ORDER BY sent_id;
UPDATE drafts SET body = 'bad';
SELECT autosync.wait_delivered('slow');
SELECT status FROM autosync.event_log WHERE status <> 'COMPLETED' AND target = 'slow';
ALTER SERVER slow OPTIONS (SET debounce '200ms');
UPDATE drafts SET body = 'good';
SELECT autosync.retry('slow') <= 1 AS retried;
SELECT autosync.wait_delivered('slow');
SELECT count(*) FROM autosync.event_log WHERE status <> 'COMPLETED' AND target = 'slow';
SELECT document FROM autosync.sent WHERE target = 'slow' ORDER BY sent_id DESC LIMIT 1;

-- a mark made by hand goes first; a key that changes, a row that is deleted where that removes
SELECT autosync.alter_sync('drafts', 'soon', '{"debounce": "1s"}');
SELECT autosync.unpublish('drafts', '1', 'soon');
UPDATE drafts SET body = 'back';
UPDATE drafts SET id = 7;
SELECT autosync.wait_delivered();
SELECT DISTINCT ON (target, key) target, key, operation, document FROM autosync.sent WHERE key IN ('1', '7') ORDER BY target, key, sent_id DESC;
DELETE FROM drafts;
SELECT autosync.wait_delivered();
SELECT DISTINCT ON (target, key) target, key, operation FROM autosync.sent WHERE key = '7' ORDER BY target, key, sent_id DESC;
SELECT count(*) FROM autosync.exceptions;

DROP SCHEMA debounce CASCADE;
DROP EXTENSION autosync CASCADE;
