-- Whoever writes the rows, and whoever delivers them: what the options of a sync read and run, they read and run with the rights of the table's owner.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE ROLE regress_rights_amy;
CREATE ROLE regress_rights_bob;
CREATE SCHEMA rights;
GRANT USAGE, CREATE ON SCHEMA rights TO regress_rights_amy;
GRANT USAGE ON SCHEMA rights TO regress_rights_bob;
-- One target per option, so that each fails by itself.
CREATE VIEW rights.targets AS SELECT unnest('{filter,soft_delete,on_delete,transform,refresh_on,plain,row}'::name[]) AS t;
SELECT count(autosync.add_target(t, 'test://', '{"max_attempts": 1}')) FROM rights.targets;
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embed_url 'http://127.0.0.1:1/v1', model 'm', dimensions '3');
CREATE SERVER social FOREIGN DATA WRAPPER autosync_atproto OPTIONS (url 'http://127.0.0.1:1');
SELECT autosync.pause('vectors'), autosync.pause('social') \gset
SELECT format('GRANT USAGE ON FOREIGN SERVER %I TO regress_rights_amy', srvname) FROM pg_foreign_server \gexec
CREATE TABLE rights.known (id int);
INSERT INTO rights.known VALUES (1);
GRANT SELECT ON rights.known TO regress_rights_amy;

SET ROLE regress_rights_amy;
SET search_path = rights;
CREATE TABLE people (id int PRIMARY KEY, code text NOT NULL UNIQUE, name text, mail text, lock int);
CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people ON DELETE CASCADE);
GRANT INSERT, DELETE ON people, orders TO regress_rights_bob;
GRANT SELECT (id) ON people TO regress_rights_bob;
-- what they say holds for her alone, and as long as she may read it
CREATE FUNCTION amy_knows() RETURNS bool LANGUAGE sql STABLE RETURN current_user = 'regress_rights_amy' AND EXISTS (SELECT FROM rights.known);
CREATE FUNCTION told(p people) RETURNS jsonb LANGUAGE sql STABLE RETURN jsonb_build_object('who', current_user, 'known', (SELECT count(*) FROM rights.known));
CREATE FUNCTION counted(p people) RETURNS jsonb LANGUAGE sql STABLE RETURN jsonb_build_object('who', current_user, 'orders', (SELECT count(*) FROM rights.orders WHERE person = p.id));
SELECT autosync.add_sync('people', 'filter', '{"filter": "rights.amy_knows()", "columns": "id"}');
SELECT autosync.add_sync('people', 'soft_delete', '{"soft_delete": "NOT rights.amy_knows()", "columns": "id"}');
SELECT autosync.add_sync('people', 'on_delete', '{"on_delete": "rights.amy_knows()", "columns": "id"}');
SELECT autosync.add_sync('people', 'transform', '{"transform": "told"}');
SELECT autosync.add_sync('people', 'refresh_on', '{"transform": "counted", "refresh_on": {"orders": "person"}}');
SELECT autosync.add_sync('people', 'plain', '{"key": "code", "columns": ["code", "mail"], "mask": {"mail": "hash"}, "version": "lock"}');
SELECT autosync.add_sync('people', 'row', '{"capture": "row", "columns": ["id", "mail"], "mask": {"mail": "hidden"}}', backfill => false);
SELECT autosync.add_sync('people', 'vectors', '{"embed_expression": "current_user || rights.amy_knows()::text", "columns": "id"}');
SELECT autosync.add_sync('people', 'social', '{"collection": "com.example.person", "did_expression": "''did:web:'' || rights.amy_knows() || ''.'' || replace(current_user, ''_'', ''-'')", "columns": "id"}');
RESET ROLE;
CREATE VIEW arrived AS
    SELECT DISTINCT ON (target, key) target, key, operation, CASE WHEN document ? 'mail' THEN jsonb_set(document, '{mail}', to_jsonb(length(document ->> 'mail'))) ELSE document END AS document
    FROM autosync.sent ORDER BY target, key, sent_id DESC;

-- bob may write, and read none of it
SET ROLE regress_rights_bob;
INSERT INTO people VALUES (1, 'a', 'Ann', 'a@example.com', 3), (2, 'b', 'Ben', 'b@example.com', 4);
INSERT INTO orders VALUES (1, 1), (2, 1);
RESET ROLE;
SELECT count(*) FROM targets WHERE autosync.wait_delivered(t);
SELECT * FROM arrived;
SELECT DISTINCT source_version FROM autosync.event_log WHERE target = 'plain' ORDER BY 1;
-- a superuser who asks what would be sent is told what the owner would send
SELECT body::jsonb -> 'input' AS input FROM autosync.preview('people', '1', 'vectors') WHERE body LIKE '%input%';
SELECT body::jsonb ->> 'repo' AS repo FROM autosync.preview('people', '1', 'social');
SET ROLE regress_rights_bob;
DELETE FROM people WHERE id = 2;
RESET ROLE;
SELECT count(*) FROM targets WHERE autosync.wait_delivered(t);
SELECT target, operation FROM arrived WHERE key IN ('2', 'b');

-- she loses a right: bob's transactions are as they were; a table that cannot be asked any more waits and says so, for that target only; and what was to be
-- asked of a row that has gone is not asked again
CREATE VIEW waiting AS SELECT "check", status, detail FROM autosync.health() WHERE "check" LIKE 'table %' ORDER BY 1;
CREATE PROCEDURE await(tables int) LANGUAGE plpgsql AS $$
BEGIN
    FOR attempt IN 1 .. 400 LOOP
        EXIT WHEN (SELECT count(*) FROM rights.waiting) = tables;
        COMMIT;
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$$;
REVOKE SELECT ON known FROM regress_rights_amy;
SET ROLE regress_rights_bob;
INSERT INTO people VALUES (3, 'c', 'Cleo', 'c@example.com', 5);
DELETE FROM people WHERE id = 1;
RESET ROLE;
CALL await(3);
SELECT * FROM waiting;
SELECT t FROM targets WHERE CASE WHEN t NOT IN ('filter', 'soft_delete', 'transform') THEN autosync.wait_delivered(t) END ORDER BY t;
SELECT target, key, operation FROM arrived WHERE key IN ('1', '3', 'a', 'c') ORDER BY 1, 2;
SELECT autosync.preview('people', '3', 'vectors');
SELECT autosync.to_atp_record('people', '3');
-- row security of a table that she asks does not decide it either
GRANT SELECT ON known TO regress_rights_amy;
ALTER TABLE known ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON known USING (false);
SELECT autosync.preview('people', '3', 'filter');
ALTER TABLE known DISABLE ROW LEVEL SECURITY;
CALL await(0);
SELECT count(*) FROM targets WHERE autosync.wait_delivered(t);
SELECT target, key, operation FROM arrived WHERE key IN ('1', '3', 'a', 'c') AND target IN ('filter', 'soft_delete', 'transform') ORDER BY 1, 2;

-- her own table: the key, the columns, masked ones as well, are read as by anybody else; an event that carries its row needs no more
REVOKE SELECT ON people FROM regress_rights_amy;
SET ROLE regress_rights_bob;
INSERT INTO people VALUES (4, 'd', 'Dan', 'd@example.com', 6);
RESET ROLE;
CALL await(6);
SELECT * FROM waiting;
SELECT autosync.wait_delivered('row');
SELECT target, operation, document FROM arrived WHERE key IN ('4', 'd');
GRANT SELECT ON people TO regress_rights_amy;
SELECT count(*) FROM targets WHERE autosync.wait_delivered(t);
SELECT target, operation FROM arrived WHERE key IN ('4', 'd');

DROP SCHEMA rights CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
DROP ROLE regress_rights_amy;
DROP ROLE regress_rights_bob;
