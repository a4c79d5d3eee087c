-- Who delivers: a database that was adopted, and never its copy.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
RESET client_min_messages;
\set SHOW_CONTEXT never
SELECT current_database() AS here \gset
CREATE SCHEMA adoption;
SET search_path = adoption;

-- by hand: a server, a table, its triggers; nothing is noted and nothing delivered until the database is adopted
CREATE SERVER mirror FOREIGN DATA WRAPPER autosync_test;
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'before');
CREATE TRIGGER mirror AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION autosync.capture('mirror');
CREATE TRIGGER mirror_truncate AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION autosync.capture('mirror');
INSERT INTO t VALUES (2, 'not adopted');
SELECT target, state FROM autosync.stat_targets;
SELECT "check", status, hint FROM autosync.health() WHERE "check" ~ 'adopt';
SELECT autosync.wait_delivered('mirror', '100ms');
SELECT (SELECT count(*) FROM autosync.log_0) + (SELECT count(*) FROM autosync.log_1) + (SELECT count(*) FROM autosync.log_2) AS noted;
-- adopted: all there is arrives, and what comes
SELECT autosync.adopt_database();
INSERT INTO t VALUES (3, 'adopted');
SELECT autosync.wait_delivered('mirror');
SELECT DISTINCT key, document FROM autosync.sent ORDER BY key;
SELECT autosync.adopt_database();
SELECT count(*) FROM autosync.instance;
CREATE SERVER other FOREIGN DATA WRAPPER autosync_test;
DROP SERVER other;

-- a copy does not deliver, nor note anything, until it is adopted
SELECT autosync.pause('mirror');
INSERT INTO t VALUES (4, 'pending when copied');
\c template1
CREATE DATABASE regress_autosync_copy TEMPLATE :"here";
\c regress_autosync_copy
SET search_path = adoption;
INSERT INTO t VALUES (5, 'in the copy');
SELECT target, state FROM autosync.stat_targets;
SELECT autosync.wait_delivered('mirror', '100ms');
SELECT count(*) FROM autosync.sent WHERE key IN ('4', '5');
SELECT autosync.adopt_database();
SELECT autosync.resume('mirror');
SELECT autosync.wait_delivered('mirror');
SELECT DISTINCT key, document FROM autosync.sent WHERE key IN ('4', '5') ORDER BY key;
\c :here
SET search_path = adoption;
SELECT autosync.resume('mirror');
SELECT autosync.wait_delivered('mirror');
SELECT DISTINCT key, document FROM autosync.sent WHERE key IN ('4', '5') ORDER BY key;
DROP DATABASE regress_autosync_copy WITH (FORCE);

SET client_min_messages = warning;
DROP SCHEMA adoption CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
