-- Names as long as they can be, in letters of several bytes, with everything that quoting is for.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
SELECT autosync.add_target('try', 'test://') \gset
SELECT format('%s', repeat('ü', 31) || '"') AS long_schema, repeat('€', 21) AS long_table, repeat('𝄞', 15) || '''"' AS long_key,
       'a`}) DETACH DELETE n //' AS cypher, E'; DROP TABLE x; --\r\nX-Evil: 1' AS lines, '%s $1 {} \ ../.git' AS formats,
       repeat('ü', 31) || '!' AS long_target \gset
SELECT octet_length(:'long_schema'), octet_length(:'long_table'), octet_length(:'long_key'), octet_length(:'long_target');
CREATE SCHEMA :"long_schema";
CREATE TABLE :"long_schema".:"long_table" (:"long_key" text, :"cypher" int, :"lines" text, :"formats" numeric, PRIMARY KEY (:"long_key", :"cypher"));
CREATE TABLE :"long_schema".:"cypher" (:"lines" int PRIMARY KEY, :"long_key" text, :"cypher" int,
    FOREIGN KEY (:"long_key", :"cypher") REFERENCES :"long_schema".:"long_table");
SELECT format('%I.%I', :'long_schema', :'long_table') AS parent, format('%I.%I', :'long_schema', :'cypher') AS child \gset
SELECT autosync.add_target(:'long_target', 'test://');
-- two targets with names so long that their triggers' would be one
SELECT autosync.add_sync(:'parent', 'try') IS NOT NULL AS declared;
SELECT autosync.add_sync(:'parent', :'long_target') IS NOT NULL AS declared;
SELECT autosync.add_sync(:'child', 'try', json_build_object('columns', json_build_array(:'lines', :'long_key'), 'filter', format('%I > 0', :'lines'))::jsonb) IS NOT NULL AS declared;
SELECT count(*), max(octet_length(tgname)) <= 63 AS fits FROM pg_trigger WHERE tgrelid IN (:'parent'::regclass, :'child'::regclass) AND tgname LIKE '\_autosync%';
INSERT INTO :"long_schema".:"long_table" VALUES (E'it''s "x"\\ \n', 1, 'one', 1.50), ('𝄞', 2, E'\r\n', 'NaN');
INSERT INTO :"long_schema".:"cypher" VALUES (1, '𝄞', 2), (-1, NULL, NULL);
SELECT autosync.wait_delivered('try') AND autosync.wait_delivered(:'long_target') AS delivered;
UPDATE :"long_schema".:"long_table" SET :"lines" = 'changed' WHERE :"cypher" = 1;
DELETE FROM :"long_schema".:"cypher" WHERE :"lines" = 1;
SELECT autosync.wait_delivered('try') AND autosync.wait_delivered(:'long_target') AS delivered;
SELECT key, target = 'try' AS try, operation, document FROM (SELECT DISTINCT ON (target, source, key) * FROM autosync.sent ORDER BY target, source, key, sent_id DESC) AS s
ORDER BY source, key COLLATE "C", target;
-- a row is found by what events call it
SELECT DISTINCT w.state FROM (SELECT DISTINCT entity_id FROM autosync.event_log WHERE source = :'long_schema' || '.' || :'long_table') AS e, autosync.why(:'parent'::regclass, e.entity_id, 'try') AS w;
SELECT count(*) FROM autosync.syncs WHERE source IN (:'parent'::regclass, :'child'::regclass) AND enabled;
SELECT "check", detail FROM autosync.health() WHERE status <> 'ok' AND "check" <> 'settings';
SELECT count(*) FROM autosync.failed_events;
-- a target that has syntax of its own for names refuses what it could not carry
CREATE SERVER nodes FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1');
SELECT autosync.add_sync(:'parent', 'nodes');

DROP EXTENSION autosync CASCADE;
DROP SCHEMA :"long_schema" CASCADE;
