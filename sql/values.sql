-- Every type of value arrives faithfully, and a key is written alike whatever the session's settings.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA "values";
SET search_path = "values";
SELECT autosync.add_target('try', 'test://') \gset
CREATE VIEW arrived AS
    SELECT DISTINCT ON (source, key) source, key, operation, document FROM autosync.sent ORDER BY source, key, sent_id DESC;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS numeric CHECK (value > 0);

-- one row per type: the document as it arrived
CREATE TABLE things (
    id int PRIMARY KEY, small int2, big int8, number numeric, price numeric(10, 2), single float4, double float8, flag bool,
    word text, fixed char(4), short varchar(3), tag name, note json, data jsonb, bytes bytea, day date, at timestamp, instant timestamptz, "time" time, timez timetz,
    span interval, ints int[], grid int[], texts text[], moment timestamptz[], feeling mood, both_ pair, range int4range, amount positive, net inet, code uuid, bits bit(3), doubled int GENERATED ALWAYS AS (id * 2) STORED
);
SELECT autosync.add_sync('things', 'try', backfill => false);
INSERT INTO things VALUES (1, -32768, 9007199254740993, 1.500, 12.50, 0.1, 0.1, true,
    E'line\n"quoted" \\ \u00e9 \U0001F600', 'ab', 'abc', 'n', '{"b": 1,  "a": [1.0]}', '{"b": 1, "a": 1e2}', '\x00ff10', '2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+02', '12:34:56.5', '12:34:56+02',
    '1 day 02:03:04', '{1,2,3}', '{{1,2},{3,4}}', '{a,"b c",NULL}', '{2024-01-01 00:00+00}', 'ok', '(1,x)', '[1,5)', 7.10, '10.0.0.0/8', '550e8400-e29b-41d4-a716-446655440000', B'101');
INSERT INTO things (id, big, number, single, double, day, at, instant, word, ints)
    VALUES (2, -9223372036854775808, '1e400', 'NaN', '-Infinity', '0044-03-15 BC', 'infinity', '12024-01-01 00:00+00', '', '{}'),
           (3, 0, 'NaN', '-0', '-0', '-infinity', '12024-01-01 01:02:03', '-infinity', NULL, NULL),
           (4, NULL, -0.0, 1e-40, 1.7976931348623157e308, '9999-12-31', '0001-01-01 00:00:00', '0044-03-15 12:00:00+00 BC', repeat('x', 3000), '[2:3]={5,6}');
SELECT autosync.wait_delivered('try');
SELECT s.key, d.ordinality AS n, c.column_name, CASE WHEN length(d.value::text) > 100 THEN length(d.value::text) || ' characters' ELSE d.value::text END AS value
  FROM arrived AS s
  JOIN information_schema.columns AS c ON c.table_schema = 'values' AND c.table_name = 'things'
  JOIN LATERAL (SELECT s.document -> c.column_name, c.ordinal_position) AS d (value, ordinality) ON true
 WHERE s.source = 'values.things' AND (s.key = '1' OR d.value <> 'null')
 ORDER BY s.key::int, d.ordinality;

-- a large value, compressed and out of line
INSERT INTO things (id, word) SELECT 5, string_agg(md5(i::text), '') FROM generate_series(1, 50000) AS i;
SELECT autosync.wait_delivered('try');
SELECT s.document ->> 'word' = t.word AS same, length(t.word) FROM arrived AS s, things AS t WHERE s.source = 'values.things' AND s.key = '5' AND t.id = 5;

-- json that no jsonb takes: parked with a reason, the others arrive, the user's transaction does not fail
INSERT INTO things (id, note) VALUES (6, '"\ud800"'), (7, '"fine"');
SELECT autosync.wait_delivered('try');
SELECT key FROM arrived WHERE source = 'values.things' AND key IN ('6', '7');
SELECT key, status, last_error FROM autosync.exceptions;
SELECT autosync.discard('try');

-- keys: one text, whatever the settings of the session
CREATE TABLE keys (n numeric, f float8, d date, ts timestamptz, c char(3), b bytea, i interval, PRIMARY KEY (n, f, d, ts, c, b, i));
SELECT autosync.add_sync('keys', 'try', backfill => false);
INSERT INTO keys VALUES (1.50, -0.0, '2024-02-29', '2024-02-29 12:00+00', 'a', '\x01ff', '1 day');
SELECT autosync.wait_delivered('try');
SET DateStyle = 'German, DMY';
SET TimeZone = 'Asia/Kolkata';
SET IntervalStyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = -5;
UPDATE keys SET n = 1.5000, f = 0; -- the same entity
SELECT autosync.wait_delivered('try');
DELETE FROM keys;
SELECT autosync.wait_delivered('try');
RESET DateStyle;
RESET TimeZone;
RESET IntervalStyle;
RESET bytea_output;
RESET extra_float_digits;
SELECT key, operation FROM arrived WHERE source = 'values.keys';

-- a key of another scale is the same entity
CREATE TABLE scales (k numeric PRIMARY KEY, v int);
SELECT autosync.add_sync('scales', 'try', backfill => false);
INSERT INTO scales VALUES (1.0, 1);
SELECT autosync.wait_delivered('try');
UPDATE scales SET k = 1.00, v = 2;
SELECT autosync.wait_delivered('try');
SELECT source, key, operation, document ->> 'v' AS v FROM arrived WHERE source = 'values.scales' ORDER BY source, key COLLATE "C";

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA "values" CASCADE;
