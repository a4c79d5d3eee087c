-- What else is refused, of targets that are asked for nothing: nothing listens on port 1. Every message is one that somebody has read.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA refusals;
SET search_path = refusals;
\set SHOW_CONTEXT never
-- Without the detail where it is the network's own.
CREATE FUNCTION raised(statement text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN QUERY SELECT '00000', 'nothing was raised', '', '';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    detail := regexp_replace(detail, '(Failed to connect|Could not (connect|resolve)|(Resolving|Connection) timed out).*', 'nobody listens');
    RETURN NEXT;
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
SELECT autosync.add_target('mirror', 'test://') \gset
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1');
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embed_url 'http://127.0.0.1:1/v1', model 'm', dimensions '3');
CREATE SERVER others FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1');
CREATE SERVER social FOREIGN DATA WRAPPER autosync_atproto OPTIONS (url 'http://127.0.0.1:1');
CREATE SERVER anywhere FOREIGN DATA WRAPPER autosync_atproto OPTIONS (plc_url 'http://127.0.0.1:1');
CREATE TABLE users (id int PRIMARY KEY, did text);
CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users, did text, body text, slug text, at timestamptz, picture bytea, vector real[], more jsonb);
CREATE TABLE unsaid (id int PRIMARY KEY, body text);
CREATE FUNCTION made(p posts) RETURNS jsonb LANGUAGE sql STABLE RETURN p.more;
SELECT autosync.adopt_database() \gset
SELECT count(autosync.pause(t)) FROM unnest('{graph,vectors,others,social}'::text[]) AS t;

-- declarations
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.add_sync('posts', 'mirror', '{"columns": ["id", "body", "id"]}')$$),
    (2, $$SELECT autosync.add_sync('posts', 'mirror', '{"refresh_on": "users"}')$$),
    (3, $$SELECT autosync.add_sync('posts', 'mirror', '{"capture": "row", "lane": "slow"}')$$),
    (4, $$SELECT autosync.add_sync(2::oid::regclass, 'mirror')$$),
    (5, $$SELECT autosync.add_sync('posts', 'graph', '{"transform": "made", "properties": {"body": "text"}}')$$),
    (6, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "did": "did", "did_expression": "did"}')$$),
    (7, $$SELECT autosync.add_sync('unsaid', 'social', '{"collection": "com.example.post"}')$$),
    (8, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "record": "body"}')$$),
    (9, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "record": {"text": "text"}}')$$),
    (10, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "record": {"body": ""}}')$$),
    (11, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "record": {"body": "text"}, "transform": "made"}')$$),
    (12, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "reply": "slug"}')$$),
    (13, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "blob": {"picture": "a..b"}}')$$),
    (14, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "blob": "body"}')$$),
    (15, $$SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "blob": {"picture": {"field": "image", "type": "no type"}}}')$$),
    (16, $$SELECT autosync.check_declaration()$$),
    (17, $$SELECT autosync.refresh()$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

-- credentials that contradict each other
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'a', password 'b', password_file 'c');
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'a', password 'b', bearer_token 't');

-- rows that a target has no form for
SELECT autosync.add_sync('posts', 'graph', '{"transform": "made", "relationships": "off"}', backfill => false);
SELECT autosync.add_sync('posts', 'social', '{"collection": "com.example.post", "rkey": "slug", "columns": ["id", "did", "at", "slug", "more"]}', backfill => false);
INSERT INTO posts (id, did, slug, at, more) VALUES
    (1, 'did:web:example.com', 'fine', NULL, '{"_v": 1}'),
    (2, 'did:web:example.com', 'no key', NULL, '{}'),
    (3, 'did:web:example.com', 'late', '10000-01-01', '{}'),
    (4, 'did:web:example.com', 'link', NULL, '{"$link": 1}'),
    (5, 'did:web:example.com', 'bytes', NULL, '{"$bytes": "#"}'),
    (6, 'did:web:example.com', 'float', NULL, '{"a": 1.5}');
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.preview('posts', '1', 'graph')$$),
    (2, $$SELECT autosync.to_atp_record('posts', '2')$$),
    (3, $$SELECT autosync.preview('posts', '2', 'social')$$),
    (4, $$SELECT autosync.to_atp_record('posts', '3')$$),
    (5, $$SELECT autosync.to_atp_record('posts', '4')$$),
    (6, $$SELECT autosync.to_atp_record('posts', '5')$$),
    (7, $$SELECT autosync.to_atp_record('posts', '6')$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

-- records and those who own them
CREATE TABLE elsewhere (id int PRIMARY KEY);
SELECT autosync.add_sync('elsewhere', 'mirror', backfill => false);
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.to_atp_record('elsewhere', '1')$$),
    (2, $$SELECT autosync.publish_as('elsewhere', '1', 'did:web:example.com')$$),
    (3, $$SELECT autosync.atp_login('amy.example.com', 'secret', 'mirror')$$),
    (4, $$SELECT autosync.atp_login('amy.example.com', 'secret', 'social')$$),
    (5, $$SELECT autosync.atp_login('amy', 'secret', 'anywhere')$$),
    (6, $$SELECT autosync.atp_login('amy.invalid', 'secret', 'anywhere')$$),
    (7, $$SELECT autosync.atp_login('did:key:z6Mk', 'secret', 'anywhere')$$),
    (8, $$SELECT autosync.atp_login('did:plc:ewvi7nxzyoun6zhxrhs64oiz', 'secret', 'anywhere')$$),
    (9, $$SELECT autosync.atp_set_session('did:web:example.com', 'social', 'a', 'r', dpop_key => 'no key', token_endpoint => 'ftp://a', client_id => 'c')$$),
    (10, format('SELECT autosync.atp_set_session(%L, %L, %L, %L, dpop_key => %L, token_endpoint => %L, client_id => %L)', 'did:web:example.com', 'social', 'a', 'r',
        E'-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggri5BfDC07TpyquT\nCgSCOvyDq2krs9cNx7GyYsrxOPmhRANCAAR34xU6M3wbyjMpQB5wXygM5cUxkiOo\n6GaodontKMtavLLz3CyTvxYkIRMubp34amZrGuVeQl8jUaVwxGTfsMfd\n-----END PRIVATE KEY-----\n',
        'ftp://a', 'c')),
    (11, $$SELECT autosync.atp_set_session('did:web:example.com', 'social', 'a', 'r', pds => 'ftp://a')$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

-- vectors
SELECT autosync.add_sync('posts', 'vectors', '{"embed": "body"}', backfill => false);
SELECT autosync.add_sync('posts', 'others', '{"vector": "vector", "id": "uuid"}', backfill => false);
SELECT autosync.alter_sync('posts', 'vectors', '{"id": "uuid"}');
SELECT autosync.add_sync('unsaid', 'vectors', '{"embed": "body", "collection": "posts", "id": "uuid"}', backfill => false);
SELECT autosync.alter_sync('posts', 'others', '{"id": null}');
SELECT r.* FROM (VALUES
    (1, $$SELECT autosync.point_id('users', '1')$$),
    (2, $$SELECT autosync.point_id('posts', '1')$$),
    (3, $$SELECT autosync.search('posts', 'others', 'words')$$),
    (4, $$SELECT autosync.search('posts', 'vectors', 'words')$$),
    (5, $$SELECT autosync.rebuild('posts', 'vectors')$$),
    (6, $$SELECT autosync.diff('posts', '1', 'vectors')$$)
) AS s (n, statement), raised(statement) AS r ORDER BY n;

-- what is asked of the worker has to fit
CREATE TABLE named (name text PRIMARY KEY);
SELECT autosync.add_sync('named', 'mirror', backfill => false);
SELECT r.* FROM raised($$SELECT autosync.forget('named', repeat('x', 9000))$$) AS r;

-- what health() says when something is in the way
SELECT status, hint FROM autosync.health() WHERE "check" = 'target social';
SELECT h.* FROM autosync.health() AS h WHERE "check" IN ('enabled', 'event_triggers');
SET autosync.enabled = off;
SELECT string_agg(format('ALTER EVENT TRIGGER %I DISABLE', evtname), '; ') AS disable, string_agg(format('ALTER EVENT TRIGGER %I ENABLE', evtname), '; ') AS enable
FROM pg_event_trigger WHERE evtname LIKE 'autosync%' \gset
:disable;
SELECT h.* FROM autosync.health() AS h WHERE "check" IN ('enabled', 'event_triggers');
:enable;
RESET autosync.enabled;
-- what a table waits for
CREATE ROLE regress_refusals_amy;
GRANT CREATE, USAGE ON SCHEMA refusals TO regress_refusals_amy;
GRANT USAGE ON FOREIGN SERVER mirror TO regress_refusals_amy;
ALTER TABLE named OWNER TO regress_refusals_amy;
REVOKE USAGE ON FOREIGN SERVER mirror FROM regress_refusals_amy;
INSERT INTO named VALUES ('a');
DO $$BEGIN FOR attempt IN 1 .. 400 LOOP EXIT WHEN EXISTS (SELECT FROM autosync.health() WHERE "check" = 'table refusals.named for mirror'); COMMIT; PERFORM pg_sleep(0.05); END LOOP; END$$;
SELECT "check", status, detail, hint FROM autosync.health() WHERE "check" LIKE '%named%';
DROP SCHEMA refusals CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
DROP ROLE regress_refusals_amy;
