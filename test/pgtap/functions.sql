-- Every function of the interface: its arguments, defaults and result. None is missing, none is too many, each is described.
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE promised (name text, arguments text, result text);
INSERT INTO promised VALUES
('add_schema', 'schema name, target name, except_tables text[] DEFAULT ''{}''::text[], options jsonb DEFAULT ''{}''::jsonb, dry_run boolean DEFAULT false', 'SETOF'),
('add_sync', 'source regclass, target name, options jsonb DEFAULT ''{}''::jsonb, backfill boolean DEFAULT true, if_not_exists boolean DEFAULT false', NULL),
('add_tables', 'sources regclass[], target name, options jsonb DEFAULT ''{}''::jsonb, dry_run boolean DEFAULT false', 'SETOF'),
('add_target', 'name name, url text, options jsonb DEFAULT ''{}''::jsonb', NULL),
('adopt_database', '', NULL),
('alter_sync', 'source regclass, target name, options jsonb', NULL),
('atp_cid', 'source regclass, key text', 'text'),
('atp_login', 'identifier text, password text, server name', 'text'),
('atp_logout', 'did text, server name DEFAULT NULL::name', 'bigint'),
('atp_set_session', 'did text, server name, access_jwt text, refresh_jwt text, dpop_key text DEFAULT NULL::text, token_endpoint text DEFAULT NULL::text, '
    'client_id text DEFAULT NULL::text, pds text DEFAULT NULL::text, handle text DEFAULT NULL::text, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone', 'void'),
('atp_uri', 'source regclass, key text', 'text'),
('backfill', 'source regclass, target name DEFAULT NULL::name, where_clause text DEFAULT NULL::text', 'bigint'),
('capture', '', 'trigger'),
('captured', '', 'SETOF'),
('check_target', 'target name, OUT ok boolean, OUT server_version text, OUT latency interval, OUT detail text', 'record'),
('cleanup_pending_syncs', '', 'bigint'),
('count_pending_syncs', 'did text', 'bigint'),
('discard', 'target name DEFAULT NULL::name, source regclass DEFAULT NULL::regclass, event_id text DEFAULT NULL::text', 'bigint'),
('drop_sync', 'source regclass, target name, purge boolean DEFAULT false', NULL),
('emit', 'event_type text, entity_type text, entity_id text, payload jsonb, source_version bigint DEFAULT NULL::bigint, correlation_id text DEFAULT NULL::text, target name DEFAULT NULL::name', 'text'),
('estimate', 'source regclass, target name, OUT rows bigint, OUT texts bigint, OUT tokens bigint, OUT duration interval', 'record'),
('explain_options', 'source regclass, target name', 'SETOF'),
('has_atp_record', 'source regclass, key text', 'boolean'),
('has_pending_syncs', 'did text', 'boolean'),
('forget', 'source regclass, key text, timeout interval DEFAULT ''00:00:30''::interval, OUT target name, OUT state text, OUT detail text, OUT erased_at timestamp with time zone', 'SETOF'),
('health', 'OUT "check" text, OUT status text, OUT detail text, OUT hint text', 'SETOF'),
('pause', 'target name DEFAULT NULL::name, lane text DEFAULT NULL::text', 'void'),
('diff', 'source regclass, key text, target name, OUT field text, OUT ours jsonb, OUT theirs jsonb', 'SETOF'),
('preview', 'source regclass, key text, target name, OUT method text, OUT url text, OUT headers jsonb, OUT body text', 'SETOF'),
('point_id', 'source regclass, key text', 'text'),
('publish', 'source regclass, key text, target name DEFAULT NULL::name', 'void'),
('publish_as', 'source regclass, key text, did text, target name DEFAULT NULL::name', 'void'),
('rebuild', 'source regclass, target name', 'bigint'),
('refresh', '', 'trigger'),
('replay', 'target name, since timestamp with time zone', 'bigint'),
('resume', 'target name DEFAULT NULL::name, lane text DEFAULT NULL::text', 'void'),
('retry', 'target name DEFAULT NULL::name, source regclass DEFAULT NULL::regclass, event_id text DEFAULT NULL::text', 'bigint'),
('retry_pending_syncs', 'did text, timeout interval DEFAULT ''00:00:30''::interval, OUT retried bigint, OUT succeeded bigint, OUT failed bigint, OUT errors text[]', 'record'),
('search', 'source regclass, target name, query text, k integer DEFAULT 10, filter jsonb DEFAULT NULL::jsonb, OUT key text, OUT score double precision', 'SETOF'),
('stat_reset', 'target name DEFAULT NULL::name', 'void'),
('to_atp_record', 'source regclass, key text, target name DEFAULT NULL::name', 'jsonb'),
('unpublish', 'source regclass, key text, target name DEFAULT NULL::name', 'void'),
('wait_delivered', 'target name DEFAULT NULL::name, timeout interval DEFAULT ''00:00:30''::interval', 'boolean'),
('why', 'source regclass, key text, target name, OUT state text, OUT reason text, OUT since timestamp with time zone, OUT hint text', 'record');

CREATE TEMP VIEW present AS
SELECT p.oid, p.proname AS name, pg_get_function_arguments(p.oid) AS arguments, p.proargmodes AS modes,
       CASE WHEN p.proretset THEN 'SETOF' ELSE p.prorettype::regtype::text END AS result, obj_description(p.oid, 'pg_proc') AS help
FROM pg_proc p WHERE p.pronamespace = 'autosync'::regnamespace;

-- The columns that a set-returning function promises are its own affair where the promise names none.
SELECT ok(EXISTS (
           SELECT FROM present f
           WHERE f.name = p.name AND (f.arguments = p.arguments OR (p.result = 'SETOF' AND f.arguments LIKE p.arguments || ', OUT %')) AND f.result = coalesce(p.result, f.result)),
          format('autosync.%s(%s) returns %s', p.name, p.arguments, p.result))
FROM promised p ORDER BY p.name;

SELECT bag_eq(
    $$SELECT name FROM present WHERE result NOT IN ('event_trigger') AND name NOT LIKE '%\_validator' AND name NOT LIKE '%\_rows'$$,
    $$SELECT name::name FROM promised UNION ALL SELECT 'event_type'::name$$,
    'no function beyond the interface, but for the inner ones of views, validators and event triggers');
SELECT is_empty($$SELECT name FROM present WHERE help IS NULL$$, 'every function is described');
SELECT is_empty($$SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'autosync'::regnamespace AND prosecdef$$, 'no function is SECURITY DEFINER');

SELECT * FROM finish();
ROLLBACK;
