-- The log is not published: FOR ALL TABLES sends a subscriber neither our log nor what empties it.
SELECT current_setting('wal_level') <> 'logical' OR
       (pg_stat_file((SELECT setting FROM pg_config() WHERE name = 'PKGLIBDIR') || '/test_decoding.so', true)).size IS NULL AS skip \gset
\if :skip
\quit
\endif
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA publications;
SET search_path = publications;
SELECT autosync.add_target('mirror', 'test://') \gset
CREATE TABLE t (id int PRIMARY KEY, v text);
SELECT autosync.add_sync('t', 'mirror', backfill => false) \gset
CREATE PUBLICATION regress_autosync FOR ALL TABLES;
RESET client_min_messages;
SELECT count(*) FROM pg_create_logical_replication_slot('regress_autosync_text', 'test_decoding');
SELECT count(*) FROM pg_create_logical_replication_slot('regress_autosync_pgoutput', 'pgoutput');
INSERT INTO t VALUES (1, 'a'), (2, 'b');
UPDATE t SET v = 'c' WHERE id = 1;
DELETE FROM t WHERE id = 2;
BEGIN;
INSERT INTO t SELECT i, 'large' FROM generate_series(100001, 140000) AS i;
DELETE FROM t WHERE id > 100001;
COMMIT;
SELECT autosync.wait_delivered(timeout => '5min');
-- What a subscriber would see of our own tables: never the log, in neither form. (Cursors and the like it may see: their primary
-- keys have the installation's id in them, so that its own are never mixed with them.)
SELECT count(*) > 0 AS changes, count(*) FILTER (WHERE data LIKE 'table autosync.log%') AS log, count(*) FILTER (WHERE data ~ 'TRUNCATE') AS truncates
FROM pg_logical_slot_peek_changes('regress_autosync_text', NULL, NULL);
SELECT substring(data FROM 'table \S+ \w+') AS change, count(*) FROM pg_logical_slot_peek_changes('regress_autosync_text', NULL, NULL)
WHERE data LIKE 'table publications.%' GROUP BY 1 ORDER BY 1;
-- pgoutput names a relation (R) before its first change; log tables are never named, nor anything truncated (T).
SELECT count(*) > 0 AS changes,
       count(*) FILTER (WHERE get_byte(data, 0) = ascii('R') AND position('log_'::bytea IN data) > 0) AS log,
       count(*) FILTER (WHERE get_byte(data, 0) = ascii('T')) AS truncates,
       count(*) FILTER (WHERE get_byte(data, 0) = ascii('R') AND position('publications'::bytea IN data) > 0) > 0 AS ours
FROM pg_logical_slot_peek_binary_changes('regress_autosync_pgoutput', NULL, NULL, 'proto_version', '1', 'publication_names', 'regress_autosync');
-- Every table that is published has an identity, so that nothing fails for the lack of one. What is over is only appended, past logical decoding.
SELECT count(*) AS history FROM pg_logical_slot_peek_changes('regress_autosync_text', NULL, NULL) WHERE data LIKE 'table autosync.history%';
SELECT relname FROM pg_class AS c WHERE relnamespace = 'autosync'::regnamespace AND relname NOT LIKE 'history%' AND relkind = 'r' AND relpersistence = 'p' AND (relreplident <> 'd' OR NOT EXISTS (
    SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname IN ('instance', 'id')))
ORDER BY relname;
SELECT pg_drop_replication_slot('regress_autosync_text'), pg_drop_replication_slot('regress_autosync_pgoutput');
SET client_min_messages = warning;
DROP PUBLICATION regress_autosync;
DROP SCHEMA publications CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
