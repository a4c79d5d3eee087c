-- Databases of other encodings than UTF-8 are refused as a whole; in SQL_ASCII, what is not UTF-8 is parked alone.
\set SHOW_CONTEXT never
\set home :DBNAME
CREATE DATABASE autosync_latin1 ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C';
CREATE DATABASE autosync_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C';
\c autosync_latin1
CREATE EXTENSION autosync;
\c autosync_ascii
CREATE EXTENSION autosync;
SELECT autosync.add_target('shelf', 'test://', '{"max_attempts": 1}');
CREATE TABLE texts (id int PRIMARY KEY, words text);
SELECT autosync.add_sync('texts', 'shelf');
INSERT INTO texts VALUES (1, E'\xC3\xBC'), (2, E'\xFC'), (3, 'plain');
SELECT autosync.wait_delivered('shelf');
SELECT DISTINCT key, operation, document = jsonb_build_object('id', key::int, 'words', (SELECT words FROM texts WHERE id = key::int)) AS as_is FROM autosync.sent ORDER BY key;
SELECT entity_id, last_error FROM autosync.failed_events;
-- A key that is not UTF-8 is parked as well, whichever way it comes, and kept apart from others like it; the row is delivered once it has a name.
CREATE PROCEDURE settle() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..1000 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM autosync.jobs) AND (SELECT pending + retrying FROM autosync.stat_targets) = 0;
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
END $$;
CREATE TABLE names (name text PRIMARY KEY, n int);
INSERT INTO names VALUES (E'm\xFCller', 1), (E'm\xE4dler', 2), ('schmidt', 3);
SELECT autosync.add_sync('names', 'shelf');
CALL settle();
INSERT INTO names VALUES (E'k\xF6nig', 4), ('weber', 5);
SELECT autosync.unpublish('names', E'm\xFCller', 'shelf');
CALL settle();
SELECT encode(entity_id::bytea, 'escape') AS entity_id, operation, attempts, last_error FROM autosync.failed_events WHERE source = 'public.names' ORDER BY 1;
UPDATE names SET name = 'koenig' WHERE name = E'k\xF6nig';
CALL settle();
SELECT autosync.retry('shelf', 'names');
CALL settle();
SELECT encode(entity_id::bytea, 'escape') AS entity_id, operation FROM autosync.failed_events WHERE source = 'public.names' ORDER BY 1;
SELECT DISTINCT key, operation FROM autosync.sent WHERE source = 'public.names' ORDER BY key;
\c :home
DROP DATABASE autosync_latin1;
DROP DATABASE autosync_ascii;
