-- A partitioned table is one source, whatever its partitions do.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA partitions;
SET search_path = partitions;
SELECT autosync.add_target('mirror', 'test://') \gset
CREATE TABLE t (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE t_east PARTITION OF t FOR VALUES IN ('east');
CREATE TABLE t_west PARTITION OF t FOR VALUES IN ('west') PARTITION BY RANGE (id);
CREATE TABLE t_west_1 PARTITION OF t_west FOR VALUES FROM (0) TO (100);
CREATE TABLE t_west_2 PARTITION OF t_west FOR VALUES FROM (100) TO (MAXVALUE);
SELECT autosync.add_sync('t', 'mirror', backfill => false) \gset
RESET client_min_messages;
CREATE VIEW held AS
SELECT source, key, document FROM (SELECT DISTINCT ON (key) * FROM autosync.sent ORDER BY key, sent_id DESC) AS latest WHERE operation = 'upsert';
CREATE VIEW differs AS
SELECT 'missing' AS difference, d FROM (SELECT to_jsonb(t) AS d FROM t EXCEPT ALL SELECT document FROM held) AS m
UNION ALL SELECT 'extra', d FROM (SELECT document AS d FROM held EXCEPT ALL SELECT to_jsonb(t) FROM t) AS e;
CREATE PROCEDURE arrive() LANGUAGE plpgsql AS $$
BEGIN
    IF NOT autosync.wait_delivered('mirror', '60s') THEN
        RAISE WARNING 'not delivered' USING DETAIL = concat_ws(E'\n', (SELECT jsonb_agg(t) FROM autosync.stat_targets AS t), (SELECT jsonb_agg(w) FROM autosync.stat_workers AS w));
    END IF;
END $$;
-- DDL that changes rows fires no row trigger: the worker looks at the catalogs before anything counts as delivered.
SELECT source, target, triggers FROM autosync.syncs;

INSERT INTO t VALUES (1, 'east', 'a'), (2, 'east', 'b'), (3, 'west', 'c'), (103, 'west', 'd');
INSERT INTO t_west_2 VALUES (104, 'west', 'into the partition');
CALL arrive();
TABLE differs;
SELECT source, key, document FROM held ORDER BY key;

-- rows that move: the key changes with the partition, and where it does not
UPDATE t SET region = 'west' WHERE id = 1;
UPDATE t SET id = id + 200 WHERE id = 3;
MERGE INTO t USING (VALUES (2)) AS n (id) ON t.id = n.id WHEN MATCHED THEN UPDATE SET region = 'west', v = 'merged';
MERGE INTO t USING (VALUES (103), (500)) AS n (id) ON t.id = n.id
    WHEN MATCHED AND v = 'd' THEN UPDATE SET id = 50
    WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'east', 'merged in');
CALL arrive();
TABLE differs;
SELECT key FROM held ORDER BY key COLLATE "C";

-- the events of a row that moves
SELECT autosync.pause('mirror');
UPDATE t SET region = 'east', v = 'back' WHERE id = 1;
SELECT operation, entity_id, source FROM autosync.event_log WHERE status <> 'COMPLETED' ORDER BY event_id;
SELECT autosync.resume('mirror');
CALL arrive();
TABLE differs;

-- TRUNCATE of one partition
INSERT INTO t VALUES (60, 'west', 'to go');
CALL arrive();
TRUNCATE t_west_1;
CALL arrive();
TABLE differs;
SELECT count(*) FROM held WHERE document->>'region' = 'west' AND (document->>'id')::int < 100;

-- DETACH takes rows away, ATTACH brings them, without a row trigger
INSERT INTO t SELECT i, 'west', 'many' FROM generate_series(300, 1299) AS i;
CALL arrive();
ALTER TABLE t_west DETACH PARTITION t_west_2;
CALL arrive();
TABLE differs;
UPDATE t_west_2 SET v = 'changed while away' WHERE id = 300;
CALL arrive();
SELECT count(*) FROM held WHERE document->>'region' = 'west';
ALTER TABLE t_west ATTACH PARTITION t_west_2 FOR VALUES FROM (100) TO (MAXVALUE);
CALL arrive();
TABLE differs;
SELECT count(*) FROM held WHERE document->>'region' = 'west';

-- a partition that comes later is part of it: with rows, with changes, with TRUNCATE
CREATE TABLE t_north (v text, region text NOT NULL, id int NOT NULL);
INSERT INTO t_north VALUES ('was there', 'north', 1);
ALTER TABLE t ATTACH PARTITION t_north FOR VALUES IN ('north');
CALL arrive();
TABLE differs;
INSERT INTO t_north VALUES ('came', 'north', 2);
UPDATE t SET v = 'changed' WHERE region = 'north' AND id = 1;
CALL arrive();
TABLE differs;
SELECT key, document FROM held WHERE document->>'region' = 'north' ORDER BY key;
TRUNCATE t_north;
CALL arrive();
TABLE differs;
SELECT count(*) FROM held WHERE document->>'region' = 'north';
CREATE TABLE t_rest PARTITION OF t DEFAULT;
INSERT INTO t VALUES (9, 'south', 'rest');
CALL arrive();
TABLE differs;
DROP TABLE t_rest;
CALL arrive();
TABLE differs;

-- TRUNCATE of all
TRUNCATE t;
CALL arrive();
TABLE differs;
SELECT count(*) FROM held;

-- a sync is of the whole table: what is declared for a partition alone is another one
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
SELECT autosync.add_sync('parts_1', 'mirror');
INSERT INTO parts VALUES (1), (11);
CALL arrive();
SELECT source, key FROM held WHERE source LIKE '%parts%';

-- inheritance is no partitioning: a child is a table of its own
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT autosync.add_sync('parent', 'mirror');
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
CALL arrive();
SELECT source, key FROM held WHERE source ~ 'parent|child';

SET client_min_messages = warning;
DROP SCHEMA partitions CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
