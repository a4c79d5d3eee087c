-- A row is told as what record it would be published, and what cannot be one is said when it is declared.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA records;
SET search_path = records;
CREATE SERVER social FOREIGN DATA WRAPPER autosync_atproto OPTIONS (url 'http://127.0.0.1:1');
SELECT autosync.adopt_database();
CREATE TABLE users (id int PRIMARY KEY, did text);
CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users, body text, likes bigint, picture bytea, flagged bool, tags text[], more jsonb,
    created_at timestamptz DEFAULT '2024-02-29 12:34:56.789+00', uri text, cid text);
INSERT INTO users VALUES (1, 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'), (2, NULL), (3, 'somebody');
INSERT INTO posts VALUES
    (1, 1, E'two\nlines «ö😀»', 9007199254740991, '\x00ff', true, '{a,b}', '{"b": 1, "aa": null, "a": [true]}'),
    (6, 1, 'a float', 1, NULL, NULL, NULL, '{"deep": [1.5]}');
INSERT INTO posts VALUES (2, 2, 'of nobody', 0), (3, NULL, 'of nobody', 0), (4, 3, 'of no DID', 0), (5, 1, 'too large', 9007199254740992);
CREATE TABLE orphans (id int PRIMARY KEY);

-- What is said at once.
SELECT autosync.add_sync('posts', 'social', '{}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "posts"}');
SELECT autosync.add_sync('orphans', 'social', '{"collection": "com.example.orphan"}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "did": "no_column"}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "transform": "no_function"}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "rkey": "no_column"}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "record": {"body": "text", "likes": "text"}}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "uri_column": "no_column"}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "uri_colum": "uri"}');
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "mask": {"body": "null"}, "did_expression": "body"}');

-- What record it is: by its columns, by some of them, by a function.
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "uri_column": "uri", "cid_column": "cid"}');
SELECT jsonb_pretty(autosync.to_atp_record('posts', '1'));
SELECT autosync.to_atp_record('posts', '2'), autosync.to_atp_record('posts', '3'), autosync.to_atp_record('posts', '7');
SELECT autosync.to_atp_record('posts', '4');
SELECT autosync.to_atp_record('posts', '5');
SELECT autosync.to_atp_record('posts', '6');
SELECT autosync.alter_sync('posts', 'social', '{"collection": "app.bsky.feed.post", "record": {"body": "text", "created_at": "createdAt"}}');
SELECT autosync.to_atp_record('posts', '1');
CREATE FUNCTION post_to_record(posts) RETURNS jsonb LANGUAGE sql STABLE
    AS $$SELECT CASE WHEN $1.id < 5 THEN jsonb_build_object('text', $1.body, 'createdAt', '2024-01-01T00:00:00Z') END$$;
SELECT autosync.drop_sync('posts', 'social');
SELECT autosync.add_sync('posts', 'social', '{"collection": "app.bsky.feed.post", "transform": "post_to_record"}');
SELECT autosync.to_atp_record('posts', '1'), autosync.to_atp_record('posts', '6');
SELECT autosync.alter_sync('posts', 'social', '{"collection": "app.bsky.feed.post", "transform": "post_to_record", "mask": {"body": "null"}}');
SELECT method, url, headers, body FROM autosync.preview('posts', '1', 'social');

-- Sessions: what is none is refused, what is one is shown without its secrets.
SELECT autosync.atp_set_session('nobody', 'social', 'a', 'r');
SELECT autosync.atp_set_session('did:plc:ewvi7nxzyoun6zhxrhs64oiz', 'social', 'a', 'r', dpop_key => 'k');
SELECT autosync.atp_set_session('did:plc:ewvi7nxzyoun6zhxrhs64oiz', 'social', 'secret-access', 'secret-refresh', handle => 'ada.test', expires_at => '2030-01-01Z');
SELECT did, handle, pds, kind, status, expires_at AT TIME ZONE 'UTC' AS expires_at, pending FROM autosync.atp_sessions;
SELECT count(*) FROM autosync.atp_sessions AS s WHERE s::text LIKE '%secret%';
SELECT autosync.atp_logout('did:plc:ewvi7nxzyoun6zhxrhs64oiz'), autosync.atp_logout('did:plc:ewvi7nxzyoun6zhxrhs64oiz');
SELECT autosync.has_pending_syncs('did:plc:x'), autosync.count_pending_syncs('did:plc:x'), autosync.cleanup_pending_syncs();
SELECT * FROM autosync.retry_pending_syncs('did:plc:x');
SELECT autosync.has_atp_record('posts', '1'), autosync.atp_uri('posts', '1'), autosync.atp_cid('posts', '1');
DROP EXTENSION autosync CASCADE;
DROP SCHEMA records CASCADE;
