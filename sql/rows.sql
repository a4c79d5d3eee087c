-- capture = row: events carry the row as it was committed, whatever it holds and whatever the session's settings.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA rows;
SET search_path = rows;
SELECT autosync.add_target('audit', 'test://');
SELECT autosync.add_target('mirror', 'test://');
SELECT autosync.pause('audit');
SELECT autosync.pause('mirror');
\x off

CREATE TABLE orders (id int PRIMARY KEY, status text, secret text, note text);
SELECT autosync.add_sync('orders', 'audit', '{"capture": "rows"}');
SELECT autosync.add_sync('orders', 'audit', '{"capture": "row", "exclude": "secret"}', backfill => false);
SELECT autosync.add_sync('orders', 'mirror', backfill => false);
SELECT value, level FROM autosync.explain_options('orders', 'mirror') WHERE option = 'capture';

-- every version of the row, and for other targets its key alone
BEGIN;
INSERT INTO orders VALUES (1, 'open', 'hush', 'a "quoted" note');
UPDATE orders SET status = 'paid' WHERE id = 1;
UPDATE orders SET secret = 'nobody uses it for audit' WHERE id = 1;
UPDATE orders SET status = 'paid' WHERE id = 1;
SAVEPOINT s;
UPDATE orders SET status = 'never' WHERE id = 1;
ROLLBACK TO s;
UPDATE orders SET id = 2 WHERE id = 1;
DELETE FROM orders;
INSERT INTO orders VALUES (2, NULL, NULL, E'tab\tand \\ and \u00e4');
TRUNCATE orders;
SELECT target, event_type, operation, entity_id, changed, payload FROM autosync.captured();
COMMIT;
SELECT target, event_type, entity_id, payload, status FROM autosync.event_log ORDER BY event_id, target;

-- nested triggers tell of a later change first
CREATE TABLE parts (id int PRIMARY KEY, n int);
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.n < 3 THEN
        UPDATE parts SET n = NEW.n + 1 WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER "A" AFTER INSERT OR UPDATE ON parts FOR EACH ROW EXECUTE FUNCTION again();
SELECT autosync.add_sync('parts', 'audit', '{"capture": "row"}', backfill => false);
BEGIN;
INSERT INTO parts VALUES (1, 1);
SELECT operation, payload FROM autosync.captured();
ROLLBACK;
-- keys change places within one statement
DROP TRIGGER "A" ON parts;
ALTER TABLE parts DROP CONSTRAINT parts_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
INSERT INTO parts VALUES (1, 10), (2, 20);
BEGIN;
UPDATE parts SET id = 3 - id;
SELECT operation, entity_id, payload FROM autosync.captured();
ROLLBACK;

-- several syncs of one table share a stored event when it is the same
CREATE TABLE shared (id int PRIMARY KEY, a text, b text);
SELECT autosync.add_target('other', 'test://');
SELECT autosync.pause('other');
SELECT autosync.add_sync('shared', 'audit', '{"capture": "row"}', backfill => false);
SELECT autosync.add_sync('shared', 'other', '{"capture": "row", "columns": ["id", "a"]}', backfill => false);
BEGIN;
INSERT INTO shared VALUES (1, 'a', 'b');
UPDATE shared SET b = 'c';
SELECT target, operation, payload FROM autosync.captured();
ROLLBACK;

-- values
CREATE TYPE mood AS ENUM ('fine', 'sad "really"');
CREATE TYPE place AS (street text, number int, tags text[]);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE kinds (id int PRIMARY KEY, small int2, big int8, r float4, d float8[], n numeric, m numeric[], b bool, t text, c char(4), by bytea, dt date[], ts timestamp, tz timestamptz,
                    iv interval, j json, jb jsonb, e mood, p place, ps place[], po positive, rg int4range, u uuid, a int[], a2 text[], i inet, bt bit(3), mo money, v tsvector, nm name, "odd ""name" int);
SELECT autosync.add_sync('kinds', 'audit', '{"capture": "row"}', backfill => false);
SET DateStyle = 'German, DMY';
SET IntervalStyle = 'iso_8601';
SET TimeZone = 'Asia/Tokyo';
SET bytea_output = 'escape';
SET extra_float_digits = -10;
BEGIN;
INSERT INTO kinds VALUES (1, -1, 9223372036854775807, 0.1, '{NaN,Infinity,0,1e30}', '1e40'::numeric, '{NaN,-Infinity,1.25}', true, E'\u0001 \U0001F600', 'ab', '\x00ff', '{infinity,0044-03-15 BC,2024-02-29}',
    '2024-02-29 12:34:56.789', '2024-02-29 12:34:56+09', '-1 day 02:03', '{"half": "\ud800", "a": 1}', '{"b": [1, {"c": null}]}', 'sad "really"', '("Main, street",5,"{a,""b c""}")', '{"(x,,)",NULL}', 7, '[1,5)',
    '12345678-1234-1234-1234-123456789abc', '[0:1]={1,2}', '{{a,NULL},{"c d",""}}', '10.0.0.0/8', '101', 12.5, 'fat cat', 'n', 3);
INSERT INTO kinds (id, j, a, ps) VALUES (2, ' {"a" : 1} ', '{}', '{}'), (3, '1e99999', '{{1,2},{3,4}}', NULL);
SELECT jsonb_pretty(payload) FROM autosync.captured() WHERE entity_id = '1';
SELECT entity_id, payload -> 'j' AS j, payload -> 'a' AS a, payload -> 'ps' AS ps FROM autosync.captured() WHERE entity_id <> '1';
-- PostgreSQL reads all of it back
SELECT k.id, back::text = jsonb_populate_record(k, '{"j": null}')::text AS same
FROM kinds AS k JOIN autosync.captured() AS e ON e.entity_id = k.id::text CROSS JOIN LATERAL jsonb_populate_record(NULL::kinds, e.payload - 'j') AS back ORDER BY k.id;
ROLLBACK;
RESET DateStyle;
RESET IntervalStyle;
RESET TimeZone;
RESET bytea_output;
RESET extra_float_digits;

-- what is too large is stored as its key, and an output function that fails does not fail the statement
SET autosync.max_event_size = '2kB';
BEGIN;
INSERT INTO orders VALUES (1, repeat('x', 1000)), (2, repeat('x', 3000)), (3, repeat(E'\u0001', 500));
SELECT entity_id, length(payload ->> 'status') FROM autosync.captured() WHERE target = 'audit';
ROLLBACK;
RESET autosync.max_event_size;
CREATE TYPE fragile;
CREATE FUNCTION fragile_in(cstring) RETURNS fragile LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION fragile_out(fragile) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'enum_out';
CREATE TYPE fragile (INPUT = fragile_in, OUTPUT = fragile_out, LIKE = int4);
CREATE TABLE brittle (id int PRIMARY KEY, f fragile);
SELECT autosync.add_sync('brittle', 'audit', '{"capture": "row"}', backfill => false);
BEGIN;
INSERT INTO brittle VALUES (1, '5');
SELECT payload FROM autosync.captured();
ROLLBACK;

-- partitions, and two-phase commit
CREATE TABLE parted (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a (v int, gone int, region text NOT NULL, id int NOT NULL);
ALTER TABLE parted_a DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_a FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
SELECT autosync.add_sync('parted', 'audit', '{"capture": "row"}', backfill => false);
BEGIN;
INSERT INTO parted VALUES (1, 'a', 5);
UPDATE parted SET region = 'b';
SELECT operation, entity_id, payload FROM autosync.captured();
PREPARE TRANSACTION 'rows';
SELECT count(*) FROM autosync.event_log WHERE source = 'rows.parted';
COMMIT PREPARED 'rows';
SELECT operation, payload FROM autosync.event_log WHERE source = 'rows.parted' ORDER BY event_id;

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA rows CASCADE;
