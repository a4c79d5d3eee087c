-- Who may what. Nothing is granted to PUBLIC beyond what a table's owner needs to see of its own events.
BEGIN;
SELECT no_plan();

SELECT bag_eq(
    $$SELECT c.relname::text, a.grantee::regrole::text, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
      WHERE c.relnamespace = 'autosync'::regnamespace AND c.relkind IN ('r', 'v', 'S') AND a.grantee <> c.relowner$$,
    $$VALUES ('atp_records', '-', 'SELECT'), ('atp_sessions', '-', 'SELECT'), ('pending_syncs', '-', 'SELECT'),
             ('event_log', '-', 'SELECT'), ('failed_events', '-', 'SELECT'), ('sync_status', '-', 'SELECT'), ('syncs', '-', 'SELECT'),
             ('stat_cluster', 'pg_monitor', 'SELECT'), ('stat_glance', 'pg_monitor', 'SELECT'), ('stat_progress', 'pg_monitor', 'SELECT'), ('stat_targets', 'pg_monitor', 'SELECT'), ('stat_workers', 'pg_monitor', 'SELECT')$$,
    'tables and views: PUBLIC reads what is filtered by ownership, pg_monitor the figures');
SELECT bag_eq(
    $$SELECT proname::text FROM pg_proc WHERE pronamespace = 'autosync'::regnamespace AND NOT has_function_privilege('public', oid, 'EXECUTE')$$,
    $$VALUES ('cluster_rows'), ('health'), ('target_rows'), ('worker_rows')$$, 'functions on the whole database are not for PUBLIC');
SELECT bag_eq($$SELECT privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'autosync' AND a.grantee = 0$$,
              $$VALUES ('USAGE')$$, 'the schema: PUBLIC may use it, not create in it');
SELECT is_empty($$SELECT fdwname FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'autosync%' AND has_foreign_data_wrapper_privilege('public', oid, 'USAGE')$$,
                'making targets is not for PUBLIC');

CREATE ROLE privileges_nobody;
CREATE ROLE privileges_monitor IN ROLE pg_monitor;
CREATE ROLE privileges_owner;

SET LOCAL ROLE privileges_nobody;
SELECT throws_ok('SELECT * FROM autosync.' || t, '42501', NULL, 'an ordinary role cannot read autosync.' || t)
FROM unnest('{log_0,log_1,log_2,cursor_0,cursor_1,exceptions,jobs,sync_state,crash_mark,rewrites,target_state,token_use,atp_map,atp_owners,atp_store,instance,clock,forgotten,stat_cluster,stat_glance,stat_targets,stat_workers,stat_progress}'::text[]) t;
SELECT throws_ok('INSERT INTO autosync.log_0 VALUES (1, ''1'', 1, '''')', '42501', NULL, 'nobody can forge an event');
SELECT throws_ok('DELETE FROM autosync.exceptions', '42501', NULL, 'nobody can remove a dead letter');
SELECT throws_ok('UPDATE autosync.target_state SET paused = true', '42501', NULL, 'nobody can pause past pause()');
SELECT throws_ok('SELECT * FROM autosync.health()', '42501', NULL, 'health() is for pg_monitor');
SELECT lives_ok('SELECT * FROM autosync.' || v, 'an ordinary role can read ' || v) FROM unnest('{syncs,event_log,failed_events,sync_status,atp_records,atp_sessions,pending_syncs}'::text[]) v;
RESET ROLE;

SET LOCAL ROLE privileges_monitor;
SELECT lives_ok('SELECT * FROM autosync.' || v, 'pg_monitor reads ' || v) FROM unnest('{stat_cluster,stat_glance,stat_targets,stat_workers,stat_progress,health()}'::text[]) v;
RESET ROLE;

-- What belongs to somebody else.
CREATE SERVER privileges_target FOREIGN DATA WRAPPER autosync_test;
SELECT autosync.adopt_database();
CREATE TABLE public.privileges_table (id int PRIMARY KEY);
ALTER TABLE public.privileges_table OWNER TO privileges_owner;
GRANT USAGE ON FOREIGN SERVER privileges_target TO privileges_owner;
GRANT SELECT ON public.privileges_table TO privileges_nobody;
SET LOCAL ROLE privileges_owner;
SELECT lives_ok($$SELECT autosync.add_sync('public.privileges_table', 'privileges_target')$$, 'the owner of a table with USAGE on the target declares');
RESET ROLE;

SET LOCAL ROLE privileges_nobody;
SELECT throws_ok(format('SELECT autosync.%s', call), '42501', NULL, call || ' needs ownership') FROM unnest(ARRAY[
    $$add_sync('public.privileges_table', 'privileges_target')$$,
    $$alter_sync('public.privileges_table', 'privileges_target', '{}')$$,
    $$drop_sync('public.privileges_table', 'privileges_target')$$,
    $$backfill('public.privileges_table')$$,
    $$publish('public.privileges_table', '1')$$,
    $$unpublish('public.privileges_table', '1')$$,
    $$preview('public.privileges_table', '1', 'privileges_target')$$,
    $$diff('public.privileges_table', '1', 'privileges_target')$$,
    $$forget('public.privileges_table', '1')$$,
    $$retry(source => 'public.privileges_table')$$,
    $$discard(source => 'public.privileges_table')$$,
    $$pause('privileges_target')$$,
    $$resume('privileges_target')$$,
    $$stat_reset('privileges_target')$$,
    $$check_target('privileges_target')$$,
    $$emit('TOLD', 'thing', '1', '{}', target => 'privileges_target')$$]) call;
SELECT lives_ok('SELECT autosync.pause()', 'pause() without a target pauses only what the caller owns');
RESET ROLE;
SELECT is_empty('SELECT * FROM autosync.target_state WHERE paused', 'and that was nothing');

SET LOCAL ROLE privileges_owner;
SELECT throws_ok($$SELECT autosync.pause('privileges_target')$$, '42501', NULL, 'USAGE on a target does not pause it');
SELECT is((SELECT ok FROM autosync.check_target('privileges_target')), true, 'USAGE on a target checks it');
SELECT throws_ok($$SELECT autosync.pause('no_such_target')$$, '42704', NULL, 'an unknown target is named');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
