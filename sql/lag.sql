-- max_lag and outbox_warn_size: what is behind, or has grown, says so by itself. (The notifications are a system test's.)
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA lag;
SET search_path = lag;
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
CREATE VIEW lags AS
    SELECT "check", status, regexp_replace(detail, ' from .*, ', ' from …, ') AS detail FROM autosync.health() WHERE "check" LIKE 'lag of%';
SELECT autosync.add_target('slow', 'test://'), autosync.add_target('picky', 'test://', '{"fail": "bad", "max_attempts": 1000, "retry_initial_delay": "1h", "retry_max_delay": "1h"}');
CREATE TABLE a (id int PRIMARY KEY, v text);
CREATE TABLE b (id int PRIMARY KEY, v text);
SELECT autosync.add_sync('a', 'slow', '{"max_lag": "soon"}');
SELECT autosync.add_sync('a', 'slow', '{"max_lag": "1ms"}');
SELECT autosync.add_sync('a', 'slow', '{"max_lag": "100ms"}'), autosync.add_sync('b', 'slow', '{"max_lag": "1d"}'), autosync.add_sync('a', 'picky', '{"max_lag": "100ms"}');
SELECT autosync.wait_delivered();
SELECT * FROM lags;

-- what lies in the outbox, and what a target refuses again and again
SELECT autosync.pause('slow');
INSERT INTO b VALUES (1, 'x');
INSERT INTO a VALUES (1, 'bad');
CALL await('(SELECT count(*) = 2 FROM lags WHERE status = ''warn'')');
SELECT * FROM lags;
CALL await('(SELECT count(*) = 2 FROM autosync.sync_state WHERE late_since IS NOT NULL)');
SELECT autosync.resume('slow');
UPDATE a SET v = 'good';
SELECT autosync.wait_delivered();
SELECT * FROM lags;
CALL await('NOT EXISTS (SELECT FROM autosync.sync_state WHERE late_since IS NOT NULL)');

-- the outbox
SELECT status FROM autosync.health() WHERE "check" = 'log';
SET autosync.outbox_warn_size = '8kB';
SELECT status, regexp_replace(detail, 'takes \d+ ', 'takes … ') AS detail, hint FROM autosync.health() WHERE "check" = 'log';
SET autosync.outbox_warn_size = '1TB';
SELECT status FROM autosync.health() WHERE "check" = 'log';

DROP SCHEMA lag CASCADE;
DROP EXTENSION autosync CASCADE;
