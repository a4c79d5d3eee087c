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
\c :home
DROP DATABASE autosync_latin1;
DROP DATABASE autosync_ascii;
