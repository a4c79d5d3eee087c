-- Errors of PostgreSQL and exceptions of C++ pass through every kind of frame: nothing of the report is lost, no destructor is skipped,
-- no memory context is left.
\getenv libdir PG_LIBDIR
\set module :libdir '/bridge_test'
CREATE FUNCTION raise_through(frame text, kind text) RETURNS text LANGUAGE c AS :'module';
CREATE FUNCTION arm(event text, kind text) RETURNS void LANGUAGE c AS :'module';
CREATE FUNCTION raise_in_trigger() RETURNS trigger LANGUAGE c AS :'module';
CREATE FUNCTION alive() RETURNS int LANGUAGE c AS :'module';
CREATE FUNCTION run_worker(library text) RETURNS bool LANGUAGE c AS :'module';
CREATE FUNCTION in_plpgsql(frame text, kind text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN raise_through(frame, kind); END';
CREATE TABLE traces (frame text);
CREATE ROLE regress_bridge;
CREATE VIEW left_over AS
SELECT alive(), (SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'autosync error') AS contexts, (SELECT count(*) FROM traces) AS traces,
       current_user = session_user AS myself, current_setting('search_path') AS search_path;
\set SHOW_CONTEXT always

-- what each kind becomes
SELECT raise_through('function', 'none');
SELECT raise_through('function', 'failure');
SELECT raise_through('function', 'bare failure');
SELECT raise_through('function', 'bad_alloc');
SELECT raise_through('function', 'invalid_argument');
SELECT raise_through('function', 'runtime_error');
SELECT raise_through('function', 'out_of_range');
SELECT raise_through('function', 'int');
SELECT raise_through('function', 'ereport');
SELECT raise_through('function', 'context');
SELECT raise_through('function', 'spi');
SELECT raise_through('function', 'cancel');
TABLE left_over;

-- through every frame, every kind: state, message, detail, hint and the lines of context
CREATE FUNCTION observe(frame text, kind text) RETURNS TABLE (state text, message text, detail text, hint text, context int) LANGUAGE plpgsql AS $$
DECLARE
    lines text;
BEGIN
    PERFORM raise_through(frame, kind);
    RETURN QUERY SELECT 'none', '', '', '', 0;
EXCEPTION WHEN OTHERS OR query_canceled THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, lines = PG_EXCEPTION_CONTEXT;
    context := cardinality(string_to_array(lines, E'\n'));
    RETURN NEXT;
END $$;
SELECT frame, kind, o.*
FROM unnest('{function,call,guard in call,"guard in call, thrice",sql,subtransaction,rethrown,acting}'::text[]) WITH ORDINALITY AS f (frame, n),
     unnest('{failure,bad_alloc,int,ereport,context,spi}'::text[]) WITH ORDINALITY AS k (kind, m), observe(frame, kind) AS o
ORDER BY n, m;
SELECT kind, o.state, o.message, o.detail, o.hint FROM unnest('{failure,bad_alloc,int,ereport,context,spi}'::text[]) AS kind, observe('plpgsql', kind) AS o;
SELECT kind, raise_through('swallowed', kind)
FROM unnest('{none,failure,bad_alloc,int,ereport,context,spi}'::text[]) AS kind;
TABLE left_over;
DELETE FROM traces;
SELECT length(message) AS message, length(detail) AS detail, length(hint) AS hint FROM observe('function', 'long failure');
SELECT state, message FROM observe('function', 'palloc');

-- nothing adds up
SELECT count(DISTINCT message) FROM generate_series(1, 1000) AS i, observe('sql', CASE WHEN i % 2 = 0 THEN 'failure' ELSE 'context' END);
TABLE left_over;

-- triggers
CREATE TABLE t (id int);
CREATE TRIGGER before BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION raise_in_trigger('failure');
INSERT INTO t VALUES (1);
DROP TRIGGER before ON t;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION raise_in_trigger('context');
BEGIN;
INSERT INTO t VALUES (1);
COMMIT;
SELECT count(*) FROM t;
TABLE left_over;

-- callbacks of transactions and subtransactions
BEGIN;
INSERT INTO traces VALUES ('commit');
SELECT arm('commit', 'failure');
COMMIT;
BEGIN;
INSERT INTO traces VALUES ('commit');
SELECT arm('commit', 'context');
COMMIT;
SELECT arm('commit', 'int');
TABLE left_over;
BEGIN;
INSERT INTO traces VALUES ('prepare');
SELECT arm('prepare', 'ereport');
PREPARE TRANSACTION 'regress_bridge';
TABLE left_over;
BEGIN;
SELECT arm('savepoint', 'failure');
SAVEPOINT a;
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO traces VALUES ('release');
SELECT arm('release', 'spi');
RELEASE a;
ROLLBACK TO a;
INSERT INTO traces VALUES ('after');
RELEASE a;
COMMIT;
TABLE left_over;
DELETE FROM traces;
SELECT arm('release', 'bad_alloc');
SELECT state, message FROM observe('function', 'none');
TABLE left_over;

-- a worker
CREATE TABLE outcomes (kind text, what text, alive int, contexts int);
SELECT run_worker(:'module');
TABLE outcomes;
TABLE left_over;
DROP ROLE regress_bridge;
