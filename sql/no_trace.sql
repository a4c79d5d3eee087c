-- Capture leaves no trace in the user's session, and nothing of its own is open to anybody.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA no_trace;
SET search_path = no_trace;
SELECT autosync.add_target('mirror', 'test://') \gset
SELECT autosync.pause('mirror') \gset
CREATE TABLE t (id serial PRIMARY KEY, v text);
CREATE TABLE plain (id serial);
SELECT autosync.add_sync('t', 'mirror', backfill => false) \gset
RESET client_min_messages;
CREATE VIEW events AS SELECT operation, entity_id, event_id FROM autosync.event_log WHERE status <> 'COMPLETED';

-- lastval() is the user's
INSERT INTO t (v) VALUES ('a');
SELECT lastval();
INSERT INTO plain DEFAULT VALUES;
INSERT INTO plain DEFAULT VALUES;
SELECT lastval();
UPDATE t SET v = 'b';
SELECT lastval(), currval('t_id_seq');

-- a transaction that turns read-only before it commits
BEGIN;
INSERT INTO t (v) VALUES ('c');
SET TRANSACTION READ ONLY;
COMMIT;
SELECT operation, entity_id FROM events ORDER BY event_id;
BEGIN READ ONLY;
SELECT count(*) FROM t;
COMMIT;

-- settings of the session that would be fatal for SQL inside of a commit
BEGIN;
SET LOCAL search_path = nowhere;
SET LOCAL lock_timeout = '1ms';
SET LOCAL default_transaction_read_only = on;
SET LOCAL row_security = off;
SET LOCAL work_mem = '64kB';
SET LOCAL default_tablespace = '';
SET LOCAL DateStyle = 'German';
INSERT INTO no_trace.t (v) VALUES ('d');
COMMIT;
SELECT count(*) FROM events;

-- counters that the user looks at
BEGIN;
SELECT pg_current_xact_id() IS NOT NULL AS has_id;
INSERT INTO t (v) VALUES ('e');
ROLLBACK;
DO $$
DECLARE
    n bigint;
BEGIN
    UPDATE t SET v = v || '!';
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE NOTICE '% rows, found: %', n, FOUND;
END $$;
WITH changed AS (UPDATE t SET v = v || '?' RETURNING id) SELECT count(*) FROM changed;
SELECT count(*) FROM pg_listening_channels();
SELECT count(*) FROM pg_prepared_statements;
SELECT count(*) FROM pg_cursors;

-- DROP and CREATE EXTENSION in the transaction that has changed rows
BEGIN;
INSERT INTO t (v) VALUES ('f');
SET LOCAL client_min_messages = warning;
DROP EXTENSION autosync CASCADE;
INSERT INTO t (v) VALUES ('g');
COMMIT;
SELECT count(*) FROM t;
CREATE EXTENSION autosync;
BEGIN;
CREATE TABLE late (id int PRIMARY KEY);
SELECT autosync.add_target('mirror', 'test://') \gset
SELECT autosync.pause('mirror') \gset
SELECT autosync.add_sync('late', 'mirror', backfill => false) \gset
INSERT INTO late VALUES (1);
COMMIT;
SELECT operation, entity_id FROM autosync.event_log WHERE status <> 'COMPLETED' ORDER BY event_id;
BEGIN;
INSERT INTO late VALUES (2);
SET LOCAL client_min_messages = warning;
DROP EXTENSION autosync CASCADE;
CREATE EXTENSION autosync;
SELECT autosync.add_target('mirror', 'test://') \gset
SELECT autosync.pause('mirror') \gset
SELECT autosync.add_sync('late', 'mirror', backfill => false) \gset
INSERT INTO late VALUES (3);
COMMIT;
SELECT operation, entity_id FROM autosync.event_log WHERE status <> 'COMPLETED' ORDER BY event_id;
BEGIN;
INSERT INTO late VALUES (4);
SAVEPOINT a;
SET LOCAL client_min_messages = warning;
DROP EXTENSION autosync CASCADE;
ROLLBACK TO a;
INSERT INTO late VALUES (5);
COMMIT;
SELECT operation, entity_id FROM autosync.event_log WHERE status <> 'COMPLETED' ORDER BY event_id;

-- a role that may write the table and nothing else
CREATE ROLE regress_autosync_eve;
GRANT USAGE ON SCHEMA no_trace TO regress_autosync_eve;
GRANT SELECT, INSERT, UPDATE, DELETE ON late TO regress_autosync_eve;
ALTER TABLE late ENABLE ROW LEVEL SECURITY;
CREATE POLICY tens ON late TO regress_autosync_eve USING (id >= 10);
SET ROLE regress_autosync_eve;
INSERT INTO late VALUES (11), (12);
UPDATE late SET id = 13 WHERE id = 12;
DELETE FROM late WHERE id = 11;
SELECT count(*) FROM autosync.event_log WHERE status <> 'COMPLETED';
SELECT * FROM autosync.log_0;
INSERT INTO autosync.log_0 VALUES (1, '1', 1, '');
SELECT * FROM autosync.cursor_0;
DELETE FROM autosync.exceptions;
SELECT * FROM autosync.instance;
SELECT * FROM autosync.sent;
CREATE TABLE autosync.mine ();
RESET ROLE;
SELECT operation, entity_id FROM autosync.event_log WHERE status <> 'COMPLETED' AND entity_id::int > 10 ORDER BY event_id;
SELECT autosync.resume('mirror');
SELECT autosync.wait_delivered();
SELECT DISTINCT key, operation, document FROM autosync.sent WHERE key::int > 10 ORDER BY key;
-- nothing is granted but to look and to call, and no function runs with its owner's rights
SELECT c.relname, a.grantee::regrole, a.privilege_type
FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.relnamespace = 'autosync'::regnamespace AND c.relkind IN ('r', 'S') AND a.grantee <> c.relowner ORDER BY 1, 2, 3;
SELECT proname FROM pg_proc WHERE pronamespace = 'autosync'::regnamespace AND prosecdef;
-- what is published has an identity; what is over (history_...) is only appended, past logical decoding, and never published
SELECT relname FROM pg_class WHERE relnamespace = 'autosync'::regnamespace AND relname NOT LIKE 'history%' AND relkind = 'r' AND relpersistence = 'p' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary);

SET client_min_messages = warning;
DROP SCHEMA no_trace CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
DROP ROLE regress_autosync_eve;
