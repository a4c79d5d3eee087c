-- Rows that count as deleted: the target does not have them, and gets them again when they come back.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA soft_delete;
SET search_path = soft_delete;
SELECT autosync.add_target('try', 'test://') \gset
CREATE VIEW arrived AS
    SELECT DISTINCT ON (source, key) source, key, operation, document FROM autosync.sent ORDER BY source, key, sent_id DESC;

-- a column that is not null; a row comes back; the row itself goes in the end
CREATE TABLE posts (id int PRIMARY KEY, title text, "Deleted At" timestamptz);
INSERT INTO posts VALUES (1, 'old', now()), (2, 'there', NULL);
SELECT autosync.add_sync('posts', 'try', '{"soft_delete": "Deleted At", "exclude": "Deleted At"}');
INSERT INTO posts VALUES (3, 'new', NULL), (4, 'born deleted', now());
SELECT autosync.wait_delivered('try');
SELECT key, operation, document FROM arrived ORDER BY key;
UPDATE posts SET "Deleted At" = now() WHERE id IN (2, 3);
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived ORDER BY key;
SELECT state, reason, hint FROM autosync.why('posts', '2', 'try');
SELECT count(*) FROM autosync.preview('posts', '2', 'try') WHERE body LIKE '%"remove"%';
UPDATE posts SET "Deleted At" = NULL WHERE id = 2;
DELETE FROM posts WHERE id = 3;
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived ORDER BY key;

-- on_delete = keep is for these, too
SELECT autosync.alter_sync('posts', 'try', '{"on_delete": "keep"}');
SELECT autosync.wait_delivered('try');
UPDATE posts SET "Deleted At" = now(), title = 'last words' WHERE id = 2;
SELECT autosync.wait_delivered('try');
SELECT key, operation, document FROM arrived WHERE key = '2';

-- a column of type boolean says it by itself; together with a filter; declared later, what is there follows
CREATE TABLE users (id int PRIMARY KEY, name text, deleted bool NOT NULL DEFAULT false, vip bool NOT NULL DEFAULT true);
INSERT INTO users VALUES (1, 'Ada', false, true), (2, 'Bob', true, true), (3, 'Cid', false, false);
SELECT autosync.add_sync('users', 'try', '{"filter": "vip", "on_filtered": "keep"}');
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE source LIKE '%users' ORDER BY key;
SELECT autosync.alter_sync('users', 'try', '{"soft_delete": "deleted"}');
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE source LIKE '%users' ORDER BY key;
UPDATE users SET deleted = true, vip = false WHERE id = 1;
SELECT autosync.wait_delivered('try');
SELECT key, operation FROM arrived WHERE source LIKE '%users' ORDER BY key;

-- a condition, with columns that nothing else reads, in any case; a backfill and its estimate pass over them
CREATE TABLE tasks (id int PRIMARY KEY, title text, status text);
INSERT INTO tasks SELECT i, 'task ' || i, CASE WHEN i <= 90 THEN 'archived' ELSE 'open' END FROM generate_series(1, 100) AS i;
ANALYZE tasks;
SELECT autosync.add_sync('tasks', 'try', '{"soft_delete": "STATUS = ''archived'' -- done", "columns": "id,title"}');
SELECT autosync.wait_delivered('try');
SELECT count(*) FROM arrived WHERE source LIKE '%tasks';
UPDATE tasks SET status = 'archived' WHERE id = 100;
SELECT autosync.wait_delivered('try');
SELECT operation, count(*) FROM arrived WHERE source LIKE '%tasks' GROUP BY operation ORDER BY operation;

-- where deletes are not captured, these are not either
SELECT autosync.alter_sync('tasks', 'try', '{"operations": "insert,update"}');
SELECT autosync.wait_delivered('try');
UPDATE tasks SET status = 'archived' WHERE id = 99;
SELECT autosync.wait_delivered('try');
SELECT operation FROM arrived WHERE source LIKE '%tasks' AND key = '99';

-- said at once
SELECT autosync.alter_sync('tasks', 'try', '{"soft_delete": "gone"}');
SELECT autosync.alter_sync('tasks', 'try', '{"soft_delete": "title"}') IS NOT NULL AS a_column_is_not_a_condition;
SELECT autosync.alter_sync('tasks', 'try', '{"soft_delete": "title || ''x''"}');
SELECT autosync.alter_sync('tasks', 'try', '{"soft_delete": "true) OR (true"}');
SELECT autosync.alter_sync('tasks', 'try', '{"soft_delete": ""}');

-- nothing is under way when the next test begins
SELECT autosync.wait_delivered('try');
DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA soft_delete CASCADE;
