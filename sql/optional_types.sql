-- What a server may be built without: XML, and collations of ICU. The second expected output is of one that has neither.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA optional_types;
SET search_path = optional_types;
SELECT autosync.add_target('try', 'test://') \gset
RESET client_min_messages;

CREATE TABLE documents (id int PRIMARY KEY, doc xml);
SELECT autosync.add_sync('documents', 'try', backfill => false);
INSERT INTO documents VALUES (1, '<a/>');

-- of keys that are equal to their column, but not in their text, each is an entity
CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE letters (k text COLLATE anycase PRIMARY KEY, v int);
SELECT autosync.add_sync('letters', 'try', backfill => false);
INSERT INTO letters VALUES ('Abc', 1);
SELECT autosync.wait_delivered('try');
UPDATE letters SET k = 'aBC', v = 2;
SELECT autosync.wait_delivered('try');
SELECT DISTINCT ON (source, key COLLATE "C") source, key, operation, document - 'id' - 'k' AS document FROM autosync.sent ORDER BY source, key COLLATE "C", sent_id DESC;

SET client_min_messages = error;
DROP EXTENSION autosync CASCADE;
DROP SCHEMA optional_types CASCADE;
