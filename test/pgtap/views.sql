-- Every view of the interface: its columns in order, and that it is described.
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE promised (name text, columns text);
INSERT INTO promised VALUES
('atp_records', 'source regclass, key text, target name, did text, collection text, rkey text, uri text, cid text, version bigint, '
    'published_at timestamp with time zone'),
('atp_sessions', 'target name, did text, handle text, pds text, kind text, status text, expires_at timestamp with time zone, last_error text, pending bigint, '
    'created_by name, created_at timestamp with time zone, updated_at timestamp with time zone'),
('event_log', 'event_id text, target name, source text, event_type text, operation text, entity_type text, entity_id text, payload jsonb, changed text[], '
    'source_version bigint, correlation_id text, origin text, status text, attempts integer, last_error text, created_at timestamp with time zone, '
    'published_at timestamp with time zone, completed_at timestamp with time zone, updated_at timestamp with time zone, '
    'next_attempt_at timestamp with time zone, expires_at timestamp with time zone'),
('failed_events', 'event_id text, target name, source text, event_type text, operation text, entity_type text, entity_id text, attempts integer, '
    'last_error text, request text, answer text, correlation_id text, origin text, created_at timestamp with time zone, failed_at timestamp with time zone'),
('pending_syncs', 'did text, target name, source regclass, key text, operation text, captured_at timestamp with time zone, '
    'expires_at timestamp with time zone, attempts integer, last_error text'),
('stat_cluster', 'datname name, target name, state text, pending bigint, oldest_pending_time timestamp with time zone, last_error text, counted_at timestamp with time zone'),
('stat_glance', 'target name, state text, pending bigint, lag text, throughput text, delivered bigint, latency_p50 interval, failed bigint, last_error text'),
('stat_progress', 'target name, source text, kind text, done bigint, total bigint, percent numeric, rate double precision, eta interval, requested_by name, '
    'requested_at timestamp with time zone, started_at timestamp with time zone, updated_at timestamp with time zone'),
('stat_targets', 'target name, state text, pending bigint, retrying bigint, failed bigint, waiting_auth bigint, delivered bigint, requests bigint, bytes bigint, '
    'oldest_pending_time timestamp with time zone, latency_p50 interval, latency_p95 interval, latency_p99 interval, '
    'last_success_time timestamp with time zone, last_error text, last_error_time timestamp with time zone, next_attempt_time timestamp with time zone, '
    'stats_reset timestamp with time zone, embedded_texts bigint, embedded_tokens bigint, embed_requests bigint, embed_skipped bigint, expired bigint, paused_lanes text[]'),
('stat_workers', 'pid integer, datname name, state text, events_per_second double precision, current_target name'),
('sync_status', 'source text, key text, target name, last_synced_version bigint, last_synced_at timestamp with time zone, has_pending_changes boolean, '
    'has_conflict boolean'),
('syncs', 'source regclass, target name, kind text, options jsonb, operations text[], enabled boolean, owner name, triggers name[]');

SELECT is((SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
           FROM pg_attribute a WHERE a.attrelid = format('autosync.%I', p.name)::regclass AND a.attnum > 0),
          p.columns, 'columns of autosync.' || p.name)
FROM promised p ORDER BY p.name;

SELECT bag_eq($$SELECT relname::text FROM pg_class WHERE relnamespace = 'autosync'::regnamespace AND relkind = 'v'$$,
              $$SELECT name FROM promised$$, 'no view beyond the interface');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'autosync'::regnamespace AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL$$,
                'every table and view is described');
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                  WHERE c.relnamespace = 'autosync'::regnamespace AND c.relkind = 'v' AND a.attnum > 0 AND a.atttypid = 'text'::regtype
                    AND a.attcollation <> 'pg_catalog."default"'::regcollation$$,
                'texts of views compare and sort like any other');
SELECT columns_are('autosync', 'sent', ARRAY['sent_id', 'target', 'source', 'key', 'operation', 'document', 'version', 'sent_at', 'instance',
                   'event_id', 'event_type', 'entity_type', 'correlation_id', 'unclear'],
                   'columns of autosync.sent');

SELECT lives_ok(format('SELECT * FROM autosync.%I', p.name), p.name || ' can be read before anything is declared') FROM promised p ORDER BY p.name;
SELECT lives_ok('SELECT * FROM autosync.health()', 'health() answers before anything is declared');

SELECT * FROM finish();
ROLLBACK;
