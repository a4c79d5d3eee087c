-- A target that is dropped leaves nothing behind that its namesake would inherit.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA come_and_go;
SET search_path = come_and_go;
\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1), (2);
SELECT autosync.add_target('steady', 'test://') \gset
SELECT autosync.add_target('fleeting', 'test://') \gset
SELECT count(autosync.add_sync('t', n)) FROM unnest('{steady,fleeting}'::name[]) AS n;
SELECT autosync.wait_delivered();
CALL await('(SELECT sum(delivered) = 4 FROM autosync.stat_targets)'); -- which are counted after that
SELECT target, delivered FROM autosync.stat_targets ORDER BY target;
DROP SERVER fleeting CASCADE;
SELECT autosync.wait_delivered('steady');
SELECT autosync.add_target('fleeting', 'test://') \gset
SELECT target, delivered FROM autosync.stat_targets ORDER BY target;
SELECT autosync.add_sync('t', 'fleeting') \gset
SELECT autosync.wait_delivered();
CALL await('(SELECT sum(delivered) = 4 FROM autosync.stat_targets)'); -- which are counted after that
SELECT target, delivered FROM autosync.stat_targets ORDER BY target;

DROP SCHEMA come_and_go CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
