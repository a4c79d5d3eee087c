-- Which of several levels counts: sync, server, ALTER DATABASE SET, postgresql.conf, built in. Each takes effect without a restart.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA precedence;
SELECT autosync.add_target('try', 'test://');
CREATE TABLE precedence.notes (id int PRIMARY KEY, v text);
SELECT autosync.add_sync('precedence.notes', 'try');
-- every option that has a setting behind it, and a value for each level
CREATE TABLE precedence.wanted (option text PRIMARY KEY, in_file text, of_database text, of_server text, of_sync text);
INSERT INTO precedence.wanted VALUES
    ('batch_size', '11', '12', '13', '14'), ('debounce', '11ms', '12ms', '13ms', '14ms'), ('delivery', 'wait', 'async', 'wait', 'async'), ('event_ttl', '11h', '12h', '13h', '14h'),
    ('max_attempts', '11', '12', '13', '14'), ('max_in_flight', '11', '12', '13', '14'), ('request_timeout', '11s', '12s', '13s', '14s'),
    ('retry_initial_delay', '11ms', '12ms', '13ms', '14ms'), ('retry_max_delay', '11s', '12s', '13s', '14s');
CREATE VIEW precedence.explained AS
    SELECT o.option, o.value, o.level, replace(o.origin, current_database(), '…') AS origin FROM autosync.explain_options('precedence.notes', 'try') AS o JOIN precedence.wanted USING (option) ORDER BY 1;
-- none is left out: all others have no setting
SELECT option FROM autosync.explain_options('precedence.notes', 'try') AS o WHERE origin LIKE 'autosync.%' AND NOT EXISTS (SELECT FROM precedence.wanted AS w WHERE w.option = o.option);
SELECT * FROM precedence.explained;

SELECT format('ALTER SYSTEM SET autosync.%I = %L', option, in_file) FROM precedence.wanted \gexec
SELECT pg_reload_conf();
\c -
SET client_min_messages = warning;
SELECT * FROM precedence.explained;
DO $$BEGIN EXECUTE (SELECT string_agg(format('ALTER DATABASE %I SET autosync.%I = %L', current_database(), option, of_database), '; ') FROM precedence.wanted); END$$;
\c -
SET client_min_messages = warning;
SELECT * FROM precedence.explained;
SELECT format('ALTER SERVER try OPTIONS (ADD %I %L)', option, of_server) FROM precedence.wanted \gexec
SELECT * FROM precedence.explained;
SELECT autosync.alter_sync('precedence.notes', 'try', jsonb_object_agg(option, of_sync) - 'debounce') FROM precedence.wanted;
SELECT autosync.alter_sync('precedence.notes', 'try', '{"delivery": null, "debounce": "14ms"}');
SELECT * FROM precedence.explained;
SELECT autosync.alter_sync('precedence.notes', 'try', jsonb_object_agg(option, NULL)) FROM precedence.wanted;
SELECT format('ALTER SERVER try OPTIONS (DROP %I)', option) FROM precedence.wanted \gexec
DO $$BEGIN EXECUTE (SELECT string_agg(format('ALTER DATABASE %I RESET autosync.%I', current_database(), option), '; ') FROM precedence.wanted); END$$;
SELECT format('ALTER SYSTEM RESET autosync.%I', option) FROM precedence.wanted \gexec
SELECT pg_reload_conf();
\c -
SET client_min_messages = warning;
SELECT count(*) FROM precedence.explained WHERE level <> 'default';

-- for capture, and a COMMIT that waits, what the session has counts, by ALTER ROLE as well; delivery does not ask who has changed or owns the rows
CREATE ROLE regress_precedence_amy LOGIN;
GRANT USAGE ON SCHEMA precedence TO regress_precedence_amy;
GRANT SELECT ON precedence.explained, precedence.wanted TO regress_precedence_amy;
GRANT USAGE ON FOREIGN SERVER try TO regress_precedence_amy;
ALTER TABLE precedence.notes OWNER TO regress_precedence_amy;
ALTER ROLE regress_precedence_amy SET autosync.delivery = wait;
ALTER ROLE regress_precedence_amy SET autosync.batch_size = 15;
DO $$BEGIN EXECUTE format('ALTER ROLE regress_precedence_amy IN DATABASE %I SET autosync.max_attempts = 16', current_database()); END$$;
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET autosync.max_in_flight = 17', current_database()); END$$;
SELECT current_user AS me \gset
\c - regress_precedence_amy
SHOW autosync.batch_size;
SELECT * FROM precedence.explained WHERE option IN ('batch_size', 'delivery', 'max_attempts', 'max_in_flight');
\c - :me
SET client_min_messages = warning;
SET autosync.batch_size = 18;
SET autosync.delivery = sync;
SELECT * FROM precedence.explained WHERE option IN ('batch_size', 'delivery', 'max_attempts', 'max_in_flight');
RESET ALL;
SET client_min_messages = warning;
DO $$BEGIN EXECUTE format('ALTER DATABASE %I RESET autosync.max_in_flight', current_database()); END$$;
ALTER TABLE precedence.notes OWNER TO CURRENT_USER;
REVOKE ALL ON FOREIGN SERVER try FROM regress_precedence_amy;

-- and the worker follows
CREATE PROCEDURE precedence.refused(key int, wanted int) LANGUAGE plpgsql AS $$
BEGIN
    FOR turn IN 1 .. 50 LOOP -- until the worker has heard of it: a reload reaches each process when it gets there
        INSERT INTO precedence.notes VALUES (key, 'bad');
        COMMIT;
        FOR attempt IN 1 .. 400 LOOP
            EXIT WHEN EXISTS (SELECT FROM autosync.failed_events WHERE entity_id = key::text);
            COMMIT;
            PERFORM pg_sleep(0.05);
        END LOOP;
        EXIT WHEN EXISTS (SELECT FROM autosync.failed_events WHERE entity_id = key::text AND attempts = wanted);
        DELETE FROM precedence.notes WHERE id = key;
        COMMIT;
        FOR attempt IN 1 .. 400 LOOP -- what was refused before is a dead letter until then
            EXIT WHEN NOT EXISTS (SELECT FROM autosync.exceptions WHERE exceptions.key = refused.key::text);
            COMMIT;
            PERFORM pg_sleep(0.05);
        END LOOP;
    END LOOP;
END
$$;
ALTER SERVER try OPTIONS (ADD fail 'bad', ADD retry_initial_delay '1ms', ADD retry_max_delay '1ms');
CALL precedence.refused(1, 3);
ALTER SYSTEM SET autosync.max_attempts = 4;
SELECT pg_reload_conf();

CALL precedence.refused(2, 4);
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET autosync.max_attempts = 5', current_database()); END$$;
CALL precedence.refused(3, 5);
ALTER SERVER try OPTIONS (ADD max_attempts '6');
CALL precedence.refused(4, 6);
SELECT autosync.alter_sync('precedence.notes', 'try', '{"max_attempts": 2}');
CALL precedence.refused(5, 2);
SELECT entity_id, attempts FROM autosync.failed_events ORDER BY entity_id;
DO $$BEGIN EXECUTE format('ALTER DATABASE %I RESET autosync.max_attempts', current_database()); END$$;
ALTER SYSTEM RESET autosync.max_attempts;
SELECT pg_reload_conf();
-- switched off at any level is off
SELECT value, level FROM autosync.explain_options('precedence.notes', 'try') WHERE option = 'enabled';
SELECT autosync.alter_sync('precedence.notes', 'try', '{"enabled": true}');
ALTER SERVER try OPTIONS (ADD enabled 'off');
SELECT value, level FROM autosync.explain_options('precedence.notes', 'try') WHERE option = 'enabled';
ALTER SERVER try OPTIONS (SET enabled 'on');
SET autosync.enabled = off;
SELECT value, level FROM autosync.explain_options('precedence.notes', 'try') WHERE option = 'enabled';
RESET autosync.enabled;
SELECT autosync.alter_sync('precedence.notes', 'try', '{"enabled": false}');
SELECT value, level FROM autosync.explain_options('precedence.notes', 'try') WHERE option = 'enabled';
DROP SCHEMA precedence CASCADE;
DROP EXTENSION autosync CASCADE;
DROP ROLE regress_precedence_amy;
