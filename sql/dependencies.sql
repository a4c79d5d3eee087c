-- Syncs depend on their target, also where pg_upgrade has lost that; nothing comes to depend on it that is about to be dropped.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA dependencies;
SET search_path = dependencies;
SELECT autosync.add_target('try', 'test://') \gset
CREATE TABLE kept (id int PRIMARY KEY);
CREATE TABLE going (id int PRIMARY KEY);
SELECT autosync.add_sync('kept', 'try') \gset
SELECT autosync.add_sync('going', 'try') \gset
SELECT autosync.wait_delivered();
CREATE VIEW missing AS SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgfoid = 'autosync.capture'::regproc AND NOT EXISTS (SELECT FROM pg_depend
    WHERE classid = 'pg_trigger'::regclass AND objid = pg_trigger.oid AND refclassid = 'pg_foreign_server'::regclass) ORDER BY 1, 2;
SELECT * FROM missing WHERE tgname !~ 'truncate';
SET allow_system_table_mods = on;
DELETE FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND refclassid = 'pg_foreign_server'::regclass;
RESET allow_system_table_mods;
SELECT * FROM missing WHERE tgname !~ 'truncate';

-- a new worker finds them missing while one of the tables is being dropped
BEGIN;
DROP TABLE going;
DO $$
BEGIN
    PERFORM pg_terminate_backend(pid) FROM autosync.stat_workers WHERE datname = current_database();
    FOR attempt IN 1 .. 400 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM dependencies.missing WHERE tgname !~ 'truncate');
        PERFORM pg_sleep(0.05);
    END LOOP;
END $$;
SELECT * FROM missing WHERE tgname !~ 'truncate';
COMMIT;
SELECT autosync.wait_delivered();
SELECT count(*) AS of_nothing FROM pg_depend WHERE classid = 'pg_trigger'::regclass AND NOT EXISTS (SELECT FROM pg_trigger WHERE oid = objid);
DROP SERVER try;
DROP SCHEMA dependencies CASCADE;
DROP EXTENSION autosync CASCADE;
