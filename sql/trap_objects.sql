-- Whatever the worker runs of a table's owner, it runs with that owner's rights: each trap writes down who it runs as, and tries to become more.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE ROLE regress_trap_eve LOGIN;
SELECT current_user AS me \gset
CREATE SCHEMA trap AUTHORIZATION regress_trap_eve;
SELECT autosync.add_target('try', 'test://', '{"max_attempts": 1}') \gset
GRANT USAGE ON FOREIGN SERVER try TO regress_trap_eve;
\c - regress_trap_eve
SET client_min_messages = warning;
SET search_path = trap;
CREATE TABLE seen (trap text, who name, session name, got text);
-- what an attacker tries once his code runs in a superuser's session; each in a block of its own, for all of it is refused
CREATE FUNCTION spring(trap text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    attempt text;
    got text := '';
BEGIN
    FOREACH attempt IN ARRAY ARRAY['SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION',
                                   'CREATE TEMPORARY TABLE decoy (id int)', 'COPY trap.seen TO PROGRAM ''true''',
                                   'SELECT pg_catalog.set_config(''session_preload_libraries'', ''x'', false)', 'ALTER ROLE regress_trap_eve SUPERUSER',
                                   'SELECT count(*) FROM autosync.log_0', 'SELECT rolpassword FROM pg_catalog.pg_authid LIMIT 1'] LOOP
        BEGIN
            EXECUTE attempt;
            got := got || attempt || '; ';
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    INSERT INTO trap.seen VALUES (trap, current_user, session_user, got);
END $$;
CREATE FUNCTION sprung(trap text, answer anyelement) RETURNS anyelement LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM trap.spring(trap);
    RETURN answer;
END $$;
-- they lie about themselves, so that they may stand in an index and be thrown away by nobody
CREATE FUNCTION indexed(id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN trap.sprung('index', id); END$$;
CREATE FUNCTION checked(value int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RETURN trap.sprung('domain', true); END$$;
CREATE FUNCTION allowed(id int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RETURN trap.sprung('row security', true); END$$;
CREATE DOMAIN small AS int CHECK (trap.checked(value));
CREATE FUNCTION as_text(small) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN trap.sprung('cast', 'x'::text); END$$;
CREATE VIEW looked AS SELECT trap.sprung('view', true) AS yes;

CREATE TABLE goods (id int PRIMARY KEY, size small, gone bool);
CREATE INDEX ON goods (indexed(id)) WHERE indexed(id) > 0;
ALTER TABLE goods ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_of_it ON goods USING (allowed(id));
SELECT autosync.add_sync('goods', 'try', '{"filter": "trap.sprung(''filter'', true) AND (SELECT yes FROM trap.looked)",
    "soft_delete": "gone AND trap.sprung(''soft_delete'', true)", "on_delete": "trap.sprung(''on_delete'', true)"}', backfill => false);
-- what shadows the names that the library itself uses
CREATE FUNCTION count(bigint) RETURNS bigint LANGUAGE sql AS $$SELECT trap.sprung('shadow', 0::bigint)$$;
CREATE FUNCTION quote_ident(name) RETURNS text LANGUAGE sql AS $$SELECT trap.sprung('shadow', ''::text)$$;
CREATE TABLE pg_class AS SELECT 1 AS oid;
INSERT INTO goods VALUES (1, 1, false), (2, 2, true), (3, 3, false);
SELECT autosync.wait_delivered('try');
UPDATE goods SET size = 4 WHERE id = 1;
DELETE FROM goods WHERE id = 3;
\c - :me
-- a superuser who has it delivered anew, and asks what would be sent
SELECT autosync.backfill('trap.goods') \gset
SELECT autosync.wait_delivered('try');
SELECT count(*) > 0 AS explained FROM autosync.why('trap.goods', '1', 'try');
SELECT count(*) > 0 AS previewed FROM autosync.preview('trap.goods', '1', 'try');
SELECT key, operation FROM (SELECT DISTINCT ON (key) key, operation FROM autosync.sent ORDER BY key, sent_id DESC) AS arrived ORDER BY key;
-- the traps that were set off in sessions of superusers, the worker's and one that asks: who they ran as, and what they got
SELECT DISTINCT trap, who, got FROM trap.seen WHERE session <> 'regress_trap_eve' ORDER BY trap;
-- in the owner's own session they are his affair; what the library runs there gets nothing either
SELECT DISTINCT who, trap = 'on_delete' AS by_the_library, trap = 'on_delete' AND got <> '' AS got FROM trap.seen WHERE session = 'regress_trap_eve' ORDER BY 2;
-- and nothing of it is left
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_trap_eve';
SELECT entity_id, last_error FROM autosync.failed_events;

SET client_min_messages = warning;
DROP EXTENSION autosync CASCADE;
DROP OWNED BY regress_trap_eve CASCADE;
DROP ROLE regress_trap_eve;
