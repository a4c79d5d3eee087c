-- Triggers of the user that write again, with names on either side of ours: what arrives is what the tables hold.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA nested;
SET search_path = nested;
SELECT autosync.add_target('mirror', 'test://') \gset
CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0);
CREATE TABLE totals (id text PRIMARY KEY, n int);
CREATE TABLE queue (id int PRIMARY KEY REFERENCES t ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, v text);
SELECT autosync.add_sync(s, 'mirror', backfill => false) FROM unnest('{t,totals,queue}'::regclass[]) AS s \gset
RESET client_min_messages;
CREATE VIEW held AS
SELECT source, key, document FROM (SELECT DISTINCT ON (source, key) * FROM autosync.sent ORDER BY source, key, sent_id DESC) AS latest WHERE operation = 'upsert';
CREATE VIEW differs AS
WITH wanted AS (SELECT 'nested.t' AS source, to_jsonb(t) AS d FROM t UNION ALL SELECT 'nested.totals', to_jsonb(t) FROM totals AS t
                UNION ALL SELECT 'nested.queue', to_jsonb(q) FROM queue AS q),
     holds AS (SELECT source, document FROM held)
SELECT 'missing' AS difference, * FROM (TABLE wanted EXCEPT ALL TABLE holds) AS m UNION ALL SELECT 'extra', * FROM (TABLE holds EXCEPT ALL TABLE wanted) AS e;

-- fires before ours: changes the row again
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.n < 3 THEN
        UPDATE t SET n = n + 1, v = NEW.v || NEW.n WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER "AAA first" AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO t VALUES (1, 'a'), (2, 'b');
UPDATE t SET v = 'c', n = 1 WHERE id = 1;
SELECT autosync.wait_delivered();
TABLE differs;
DROP TRIGGER "AAA first" ON t;
-- fires after ours
CREATE TRIGGER zzz_last AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO t VALUES (3, 'a'), (4, 'b');
UPDATE t SET v = 'c', n = 1 WHERE id IN (1, 3);
SELECT autosync.wait_delivered();
TABLE differs;
DROP TRIGGER zzz_last ON t;

-- deletes what was just written, writes what was just deleted, gives the key away
CREATE FUNCTION contrary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.v = 'to go' THEN
        DELETE FROM t WHERE id = NEW.id;
    ELSIF TG_OP = 'DELETE' AND OLD.v = 'to stay' THEN
        INSERT INTO t VALUES (OLD.id, 'stays', 9);
    ELSIF TG_OP = 'UPDATE' AND NEW.v = 'to move' THEN
        UPDATE t SET id = id + 100, v = 'moved' WHERE id = NEW.id;
        INSERT INTO t VALUES (NEW.id, 'took its place', 9);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER "AAA first" AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION contrary();
CREATE TRIGGER zzz_last AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION contrary();
ALTER TABLE t DISABLE TRIGGER zzz_last;
INSERT INTO t VALUES (10, 'to go'), (11, 'to stay'), (12, 'x');
DELETE FROM t WHERE id = 11;
UPDATE t SET v = 'to move' WHERE id = 12;
ALTER TABLE t ENABLE TRIGGER zzz_last;
ALTER TABLE t DISABLE TRIGGER "AAA first";
INSERT INTO t VALUES (13, 'to go'), (14, 'to stay'), (15, 'x');
DELETE FROM t WHERE id = 14;
UPDATE t SET v = 'to move' WHERE id = 15;
SELECT autosync.wait_delivered();
TABLE differs;
SELECT * FROM t WHERE id >= 10 ORDER BY id;
DROP TRIGGER "AAA first" ON t;
DROP TRIGGER zzz_last ON t;

-- keeps a total elsewhere, from BEFORE and AFTER triggers, from statement triggers, and fails half of the time
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO totals VALUES (TG_NAME, 1) ON CONFLICT (id) DO UPDATE SET n = totals.n + 1;
    BEGIN
        UPDATE totals SET n = 1000 WHERE id = TG_NAME;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER before BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION count_rows();
CREATE TRIGGER after AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION count_rows();
CREATE TRIGGER statement AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_rows();
INSERT INTO t SELECT i, 'counted' FROM generate_series(1000, 1004) AS i;
SELECT autosync.wait_delivered();
TABLE differs;
SELECT * FROM totals ORDER BY id;

-- what deferred constraints and triggers do at commit
BEGIN;
INSERT INTO queue VALUES (2000, 'ahead of its parent');
INSERT INTO t VALUES (2000, 'parent');
COMMIT;
DELETE FROM t WHERE id = 2000;
SELECT autosync.wait_delivered();
TABLE differs;

-- an update that a BEFORE trigger undoes is none
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE TRIGGER undo BEFORE UPDATE ON totals FOR EACH ROW EXECUTE FUNCTION undo();
SELECT autosync.pause('mirror');
UPDATE totals SET n = 0;
SELECT count(*) FROM autosync.event_log WHERE status <> 'COMPLETED';

SET client_min_messages = warning;
DROP SCHEMA nested CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
