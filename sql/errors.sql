-- Every refusal names what is wrong, has a SQLSTATE that programs can rely on, and says what to do.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA errors;
SET search_path = errors;
SELECT autosync.add_target('mirror', 'test://') \gset
RESET client_min_messages;
\set SHOW_CONTEXT never
\set VERBOSITY default
CREATE ROLE regress_autosync_amy;
GRANT USAGE, CREATE ON SCHEMA errors TO regress_autosync_amy;
-- The state beside the message.
CREATE FUNCTION raised(statement text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN QUERY SELECT '00000', 'nothing was raised', '', '';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
CREATE TABLE t (id int PRIMARY KEY, v text, w text);
CREATE TABLE keyless (v text);
CREATE TEMPORARY TABLE passing (id int PRIMARY KEY);
CREATE VIEW seen AS SELECT * FROM t;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM t;
CREATE SEQUENCE counter;
CREATE FOREIGN DATA WRAPPER regress_elsewhere;
CREATE SERVER far FOREIGN DATA WRAPPER regress_elsewhere;
CREATE FOREIGN TABLE distant (id int) SERVER far;

-- targets
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.add_target('x', 'ftp://example.com')$$),
    (2, $$SELECT autosync.add_target('x', '')$$),
    (3, $$SELECT autosync.add_target('x', 'nonsense')$$),
    (4, $$SELECT autosync.add_target('x', NULL)$$),
    (5, $$SELECT autosync.add_target(NULL, 'test://')$$),
    (6, $$SELECT autosync.add_target('mirror', 'test://')$$),
    (7, $$SELECT autosync.add_target('x', 'test://', '{"nonsense": 1}')$$),
    (8, $$SELECT autosync.add_target('x', 'test://', '{"batch_size": "many"}')$$),
    (9, $$SELECT autosync.add_target('x', 'test://', '[]')$$),
    (10, $$SELECT autosync.add_target('y', 'test://', '{"fail": "("}')$$),
    (11, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'bolt://127.0.0.1:7687')$$),
    (12, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://')$$),
    (13, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://user:secret@127.0.0.1/')$$),
    (14, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (uri 'http://127.0.0.1')$$),
    (15, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_neo4j$$),
    (16, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_test OPTIONS (request_timeout 'soon')$$),
    (17, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_test OPTIONS (max_attempts '0')$$),
    (18, $$ALTER SERVER mirror OPTIONS (ADD nonsense '1')$$),
    (19, $$CREATE USER MAPPING FOR PUBLIC SERVER mirror OPTIONS (password 'secret')$$),
    (20, $$SELECT autosync.check_target('nowhere')$$),
    (21, $$SELECT autosync.check_target('far')$$),
    (22, $$SELECT autosync.pause('nowhere')$$),
    (23, $$SELECT autosync.resume('far')$$),
    (24, $$SELECT autosync.stat_reset('nowhere')$$),
    (25, $$SELECT autosync.wait_delivered('nowhere')$$),
    (26, $$SELECT autosync.wait_delivered('mirror', NULL)$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

-- syncs
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.add_sync('t', 'nowhere')$$),
    (2, $$SELECT autosync.add_sync('t', 'far')$$),
    (3, $$SELECT autosync.add_sync('nothing', 'mirror')$$),
    (4, $$SELECT autosync.add_sync('t', NULL)$$),
    (5, $$SELECT autosync.add_sync('keyless', 'mirror')$$),
    (6, $$SELECT autosync.add_sync('passing', 'mirror')$$),
    (7, $$SELECT autosync.add_sync('seen', 'mirror')$$),
    (8, $$SELECT autosync.add_sync('stored', 'mirror')$$),
    (9, $$SELECT autosync.add_sync('counter', 'mirror')$$),
    (10, $$SELECT autosync.add_sync('distant', 'mirror')$$),
    (11, $$SELECT autosync.add_sync('pg_class', 'mirror')$$),
    (12, $$SELECT autosync.add_sync('t_pkey', 'mirror')$$),
    (13, $$SELECT autosync.add_sync('autosync.exceptions', 'mirror')$$),
    (14, $$SELECT autosync.add_sync('t', 'mirror', '{"colums": ["id"]}')$$),
    (15, $$SELECT autosync.add_sync('t', 'mirror', '{"columns": ["nothing"]}')$$),
    (16, $$SELECT autosync.add_sync('t', 'mirror', '{"columns": ["id"], "exclude": ["v"]}')$$),
    (17, $$SELECT autosync.add_sync('t', 'mirror', '{"exclude": ["nothing"]}')$$),
    (18, $$SELECT autosync.add_sync('t', 'mirror', '{"filter": "nothing > 1"}')$$),
    (19, $$SELECT autosync.add_sync('t', 'mirror', '{"filter": "id"}')$$),
    (20, $$SELECT autosync.add_sync('t', 'mirror', '{"filter": "id >"}')$$),
    (21, $$SELECT autosync.add_sync('t', 'mirror', '{"filter": "true; DROP TABLE t"}')$$),
    (22, $$SELECT autosync.add_sync('t', 'mirror', '{"operations": "insert,upsert"}')$$),
    (23, $$SELECT autosync.add_sync('t', 'mirror', '{"key": "v"}')$$),
    (24, $$SELECT autosync.add_sync('t', 'mirror', '{"label": "T"}')$$),
    (25, $$SELECT autosync.add_sync('t', 'mirror', '"text"')$$),
    (26, $$SELECT autosync.alter_sync('t', 'mirror', '{"filter": "true"}')$$),
    (27, $$SELECT autosync.drop_sync('t', 'mirror')$$),
    (28, $$SELECT autosync.explain_options('t', 'mirror')$$),
    (29, $$SELECT autosync.add_tables('{t,keyless}', 'mirror')$$),
    (30, $$SELECT autosync.add_schema('nothing', 'mirror')$$),
    (31, $$SELECT autosync.add_schema('errors', 'mirror', '{nothing}')$$),
    (32, $$SELECT autosync.add_schema('errors', 'nowhere')$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;
SELECT count(*) FROM autosync.syncs;
CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION autosync.capture('mirror', 'nonsense');
CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION autosync.capture('mirror', '=1');
CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION autosync.capture('mirror', 'columns=id', 'columns=v');
CREATE TRIGGER x AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION autosync.capture('mirror', 'colums=id');
SELECT autosync.capture();

-- operation
SELECT autosync.add_sync('t', 'mirror') \gset
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.add_sync('t', 'mirror')$$),
    (2, $$SELECT autosync.backfill('keyless')$$),
    (3, $$SELECT autosync.backfill('t', 'far')$$),
    (4, $$SELECT autosync.backfill('t', where_clause => 'nothing')$$),
    (5, $$SELECT autosync.publish('t', 'one')$$),
    (6, $$SELECT autosync.publish('t', NULL)$$),
    (7, $$SELECT autosync.publish('keyless', '1')$$),
    (8, $$SELECT autosync.unpublish('t', '{"v": 1}')$$),
    (9, $$SELECT autosync.preview('t', '1', 'nowhere')$$),
    (10, $$SELECT autosync.preview('keyless', '1', 'mirror')$$),
    (11, $$SELECT autosync.retry('nowhere')$$),
    (12, $$SELECT autosync.discard(event_id => 'nothing')$$),
    (13, $$DROP SERVER mirror$$),
    (14, $$ALTER SERVER mirror RENAME TO moved$$),
    (15, $$ALTER TABLE t DROP COLUMN id$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

-- privileges
SET ROLE regress_autosync_amy;
CREATE TABLE hers (id int PRIMARY KEY);
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.add_target('x', 'test://')$$),
    (2, $$CREATE SERVER x FOREIGN DATA WRAPPER autosync_test$$),
    (3, $$SELECT autosync.add_sync('hers', 'mirror')$$),
    (4, $$SELECT autosync.add_sync('t', 'mirror')$$),
    (5, $$SELECT autosync.drop_sync('t', 'mirror')$$),
    (6, $$SELECT autosync.alter_sync('t', 'mirror', '{}')$$),
    (7, $$SELECT autosync.backfill('t')$$),
    (8, $$SELECT autosync.publish('t', '1')$$),
    (9, $$SELECT autosync.preview('t', '1', 'mirror')$$),
    (10, $$SELECT autosync.explain_options('t', 'mirror')$$),
    (11, $$SELECT autosync.pause('mirror')$$),
    (12, $$SELECT autosync.stat_reset('mirror')$$),
    (13, $$SELECT autosync.check_target('mirror')$$),
    (14, $$SELECT autosync.adopt_database()$$),
    (15, $$SELECT * FROM autosync.health()$$),
    (16, $$SELECT * FROM autosync.stat_targets$$),
    (17, $$SELECT * FROM autosync.sent$$),
    (18, $$SET autosync.enabled = off$$),
    (19, $$SET autosync.origin = 'mirror'$$),
    (20, $$SET autosync.capture_delete = off$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;
RESET ROLE;

-- settings
SELECT r.* FROM (VALUES
    (1, $$SET autosync.deliver = 'never'$$),
    (2, $$SET autosync.max_workers = 2$$),
    (3, $$SET autosync.batch_size = 0$$),
    (4, $$SET autosync.nonsense = 1$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

SET client_min_messages = warning;
DROP SCHEMA errors CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
DROP FOREIGN DATA WRAPPER regress_elsewhere CASCADE;
DROP ROLE regress_autosync_amy;
