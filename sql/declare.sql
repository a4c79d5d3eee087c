-- A target is a server, a sync is a trigger: what is declared is checked at once, whoever declares it and however.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
RESET client_min_messages;
CREATE SCHEMA declare;
SET search_path = declare;
\set SHOW_CONTEXT never

-- a server made by hand does not adopt the database; add_target does
CREATE SERVER by_hand FOREIGN DATA WRAPPER autosync_test;
SELECT count(*) FROM autosync.instance;
SELECT autosync.add_target('try', 'test://');
SELECT count(*) FROM autosync.instance;
CREATE SERVER quiet FOREIGN DATA WRAPPER autosync_test;
SELECT autosync.add_target('try', 'test://');
SELECT autosync.add_target('other', 'ftp://example.com');
SELECT autosync.add_target('other', 'neo4j://127.0.0.1:1', '{"username": "neo4j", "password": "s3cret", "databse": "x"}');
SELECT autosync.add_target('other', 'neo4j://127.0.0.1:1', '{"username": "neo4j", "pasword": "s3cret"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_target('other', 'neo4j://127.0.0.1:1', '{"username": "neo4j", "password": "s3cret", "label": "Customer"}');
SELECT autosync.add_target('other', 'neo4j://127.0.0.1:1', '{"username": "neo4j", "password": "s3cret", "colour": "red"}');
SELECT autosync.add_target('other', 'neo4j://127.0.0.1:1', '{"username": "neo4j", "password": ["s3cret"]}');
-- what the HTTP library says tells how long it took
\set VERBOSITY terse
SELECT autosync.add_target('other', 'neo4j://127.0.0.1:1', '{"username": "neo4j", "password": "s3cret", "enabled": false}') \gset
\set VERBOSITY default
SELECT srvoptions, umoptions FROM pg_user_mappings JOIN pg_foreign_server s ON s.oid = srvid WHERE s.srvname = 'other';
DROP SERVER other CASCADE;

-- a sync is its triggers
CREATE TABLE customers (id int PRIMARY KEY, name text);
BEGIN;
SELECT autosync.add_sync('customers', 'try', '{"columns": ["id", "name"], "enabled": true, "filter": "name <> ''it''''s''"}');
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'customers'::regclass ORDER BY tgname;
SELECT target, source::regclass, kind, reason FROM autosync.jobs;
COMMIT;
SELECT autosync.add_sync('customers', 'try');
SELECT autosync.add_sync('customers', 'try', if_not_exists => true);
ALTER SERVER try RENAME TO tried;
DROP SERVER try;

-- alter_sync: what is named changes, null takes away, the rest stays; so does a disabled trigger
ALTER TABLE customers DISABLE TRIGGER _autosync_try;
BEGIN;
SELECT autosync.alter_sync('customers', 'try', '{"columns": null, "filter": "id > 0"}');
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'customers'::regclass ORDER BY tgname;
SELECT kind, reason FROM autosync.jobs ORDER BY kind;
COMMIT;
ALTER TABLE customers ENABLE TRIGGER _autosync_try;
BEGIN;
SELECT autosync.alter_sync('customers', 'try', '{"operations": "insert,update,delete"}');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'customers'::regclass ORDER BY tgname;
SELECT autosync.alter_sync('customers', 'try', '{"operations": null, "key": "id"}');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'customers'::regclass ORDER BY tgname;
SELECT kind, options FROM autosync.jobs WHERE kind = 'purge';
COMMIT;
SELECT autosync.alter_sync('customers', 'try', '{"colums": ["id"]}');
SELECT autosync.alter_sync('customers', 'quiet', '{}');

-- drop_sync
BEGIN;
SELECT autosync.drop_sync('customers', 'try', purge => true);
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'customers'::regclass;
SELECT kind, reason, options FROM autosync.jobs ORDER BY kind;
ROLLBACK;
SELECT autosync.drop_sync('customers', 'try');
SELECT autosync.drop_sync('customers', 'try');

-- by hand: the same sync, with a word about traps
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
CREATE TRIGGER a_truncate AFTER TRUNCATE ON customers FOR EACH STATEMENT EXECUTE FUNCTION autosync.capture('try');
CREATE TRIGGER b AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
CREATE OR REPLACE TRIGGER a AFTER INSERT OR UPDATE OF name OR DELETE ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try', 'columns=id');
DROP TRIGGER a ON customers;
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION autosync.capture('try');
\set VERBOSITY terse
DROP SERVER try CASCADE;
\set VERBOSITY default
SELECT autosync.add_target('try', 'test://');
CREATE TRIGGER a BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH STATEMENT EXECUTE FUNCTION autosync.capture('try');
CREATE CONSTRAINT TRIGGER a AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture();
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('nowhere');
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try', 'filter=nmae IS NULL');
CREATE SCHEMA within CREATE TABLE t (id int PRIMARY KEY) CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION autosync.capture('nowhere');
-- a restore makes triggers before it grants
SET check_function_bodies = off;
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('nowhere');
DROP TRIGGER a ON customers;
RESET check_function_bodies;

-- what cannot be synced
CREATE VIEW names AS SELECT name FROM customers;
CREATE TEMPORARY TABLE passing (id int PRIMARY KEY);
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER far FOREIGN DATA WRAPPER elsewhere;
CREATE FOREIGN TABLE distant (id int) SERVER far;
CREATE TABLE keyless (a int, b int NOT NULL, c int);
SELECT autosync.add_sync('names', 'try');
SELECT autosync.add_sync('passing', 'try');
SELECT autosync.add_sync('distant', 'try');
SELECT autosync.add_sync('keyless', 'try');
SELECT autosync.add_sync('autosync.sent', 'try');
SELECT autosync.add_sync('customers', 'far');
CREATE TRIGGER a INSTEAD OF INSERT ON names FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
\echo :LAST_ERROR_SQLSTATE
CREATE TRIGGER a AFTER INSERT ON distant FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
\echo :LAST_ERROR_SQLSTATE
CREATE TRIGGER a AFTER INSERT ON keyless FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
\echo :LAST_ERROR_SQLSTATE

-- the option key: a whole, valid, immediate unique index on columns that are NOT NULL
SELECT autosync.add_sync('keyless', 'try', '{"key": "d"}');
SELECT autosync.add_sync('keyless', 'try', '{"key": "b"}');
CREATE UNIQUE INDEX keyless_partial ON keyless (b) WHERE a > 0;
SELECT autosync.add_sync('keyless', 'try', '{"key": "b"}');
CREATE UNIQUE INDEX keyless_expression ON keyless ((b + 1));
SELECT autosync.add_sync('keyless', 'try', '{"key": "b"}');
ALTER TABLE keyless ADD CONSTRAINT keyless_later UNIQUE (b) DEFERRABLE;
SELECT autosync.add_sync('keyless', 'try', '{"key": "b"}');
CREATE UNIQUE INDEX keyless_b ON keyless (b) INCLUDE (a);
SELECT autosync.add_sync('keyless', 'try', '{"key": "a,b"}');
SELECT autosync.add_sync('keyless', 'try', '{"key": "b"}');

-- privileges: the table's owner, with USAGE on the target
CREATE ROLE regress_autosync_ann;
GRANT USAGE, CREATE ON SCHEMA declare TO regress_autosync_ann;
GRANT TRIGGER ON customers TO regress_autosync_ann;
SET ROLE regress_autosync_ann;
CREATE TABLE own (id int PRIMARY KEY);
SELECT autosync.add_sync('customers', 'try');
CREATE TRIGGER a AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
SELECT autosync.add_sync('own', 'try');
CREATE TRIGGER a AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
SET check_function_bodies = off;
CREATE TRIGGER a AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION autosync.capture('try');
RESET check_function_bodies;
DROP TRIGGER a ON own;
SELECT autosync.add_target('mine', 'test://');
SELECT autosync.adopt_database();
SELECT count(*) FROM autosync.jobs;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER try TO regress_autosync_ann;
SET ROLE regress_autosync_ann;
SELECT autosync.add_sync('own', 'try');
SELECT autosync.drop_sync('own', 'try');
RESET ROLE;

-- names at the limit of what a name may hold
SELECT autosync.add_target('a_target_with_a_name_that_is_just_as_long_as_a_name_may_be_here', 'test://');
SELECT autosync.add_sync('customers', 'a_target_with_a_name_that_is_just_as_long_as_a_name_may_be_here');
SELECT tgname, length(tgname::text) FROM pg_trigger WHERE tgrelid = 'customers'::regclass ORDER BY tgname;

SET client_min_messages = warning;
DROP SCHEMA declare CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
DROP FOREIGN DATA WRAPPER elsewhere CASCADE;
DROP ROLE regress_autosync_ann;
