-- diff(): what a target holds beside what the row says, asked of the target itself.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA diff;
SET search_path = diff;
SELECT autosync.add_target('shelf', 'test://') \gset
CREATE TABLE things (id int PRIMARY KEY, name text, price numeric, tags jsonb, made timestamptz, hidden bool NOT NULL DEFAULT false);
INSERT INTO things VALUES (1, 'bag', 10.50, '{"a": [1, 2.0]}', '2024-02-29 12:00+00'), (2, 'cup', NULL, NULL, NULL);
SELECT autosync.add_sync('things', 'shelf', '{"filter": "NOT hidden"}');
SELECT autosync.wait_delivered();
SELECT * FROM autosync.diff('things', '1', 'shelf');

-- what is pending differs, what was changed behind the back as well, and why() tells them apart
SELECT autosync.pause('shelf');
UPDATE things SET name = 'sack', price = NULL, tags = '{"a": [1, 2]}' WHERE id = 1;
SELECT * FROM autosync.diff('things', '1', 'shelf');
SELECT state FROM autosync.why('things', '1', 'shelf');
SELECT autosync.resume('shelf');
SELECT autosync.wait_delivered();
SELECT * FROM autosync.diff('things', '1', 'shelf');
UPDATE autosync.sent SET document = document || '{"name": "tin", "extra": true}' WHERE sent_id = (SELECT max(sent_id) FROM autosync.sent WHERE key = '1');
SELECT * FROM autosync.diff('things', '1', 'shelf');
SELECT state, reason, hint FROM autosync.why('things', '1', 'shelf');
SELECT autosync.publish('things', '1');
SELECT autosync.wait_delivered();
SELECT state, reason FROM autosync.why('things', '1', 'shelf');

-- a row that is not to be there, one that is not there, one of nobody's
SET autosync.enabled = off;
UPDATE things SET hidden = true WHERE id = 1;
INSERT INTO things VALUES (3, 'new', 1, NULL, NULL);
RESET autosync.enabled;
SELECT * FROM autosync.diff('things', '1', 'shelf');
SELECT * FROM autosync.diff('things', '3', 'shelf');
SELECT * FROM autosync.diff('things', '4', 'shelf');

-- errors
SELECT autosync.diff('things', 'x', 'shelf');
SELECT autosync.diff('things', NULL, 'shelf');
SELECT autosync.diff('pg_class', '1', 'shelf');
SELECT autosync.diff('things', '1', 'nowhere');

DROP SCHEMA diff CASCADE;
DROP EXTENSION autosync CASCADE;
