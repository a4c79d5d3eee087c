-- Every GUC of the interface: default, unit, who may set it. The prefix is reserved.
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE promised (name text, fallback text, unit text, context text);
INSERT INTO promised VALUES
('autosync.allowed_hosts', '*', NULL, 'sighup'),
('autosync.batch_size', '500', NULL, 'superuser'),
('autosync.capture_delete', 'on', NULL, 'superuser'),
('autosync.capture_insert', 'on', NULL, 'superuser'),
('autosync.capture_truncate', 'on', NULL, 'superuser'),
('autosync.capture_update', 'on', NULL, 'superuser'),
('autosync.connect_timeout', '10000', 'ms', 'superuser'),
('autosync.correlation_id', '', NULL, 'user'),
('autosync.debounce', '0', 'ms', 'superuser'),
('autosync.delivery', 'async', NULL, 'user'),
('autosync.enabled', 'on', NULL, 'superuser'),
('autosync.event_ttl', '0', 's', 'superuser'),
('autosync.fail_silently', 'on', NULL, 'user'),
('autosync.history_retention', '604800', 's', 'superuser'),
('autosync.history_size', '1048576', 'kB', 'superuser'),
('autosync.instance_id', '', NULL, 'postmaster'),
('autosync.log_errors', 'on', NULL, 'superuser'),
('autosync.max_attempts', '3', NULL, 'superuser'),
('autosync.max_event_size', '65536', 'kB', 'superuser'),
('autosync.max_in_flight', '4', NULL, 'superuser'),
('autosync.max_workers', '4', NULL, 'postmaster'),
('autosync.origin', '', NULL, 'superuser'),
('autosync.outbox_warn_size', '0', 'kB', 'superuser'),
('autosync.poll_interval', '5000', 'ms', 'superuser'),
('autosync.request_timeout', '120000', 'ms', 'superuser'),
('autosync.retry_initial_delay', '1000', 'ms', 'superuser'),
('autosync.retry_max_delay', '300000', 'ms', 'superuser'),
('autosync.secrets_directory', '', NULL, 'postmaster');

SELECT is((SELECT (s.boot_val, s.unit, s.context)::text FROM pg_settings s WHERE s.name = p.name), (p.fallback, p.unit, p.context)::text, p.name)
FROM promised p ORDER BY p.name;
SELECT bag_eq($$SELECT name FROM pg_settings WHERE name LIKE 'autosync.%'$$, $$SELECT name FROM promised$$, 'no setting beyond the interface');
SELECT is_empty($$SELECT name FROM pg_settings WHERE name LIKE 'autosync.%' AND coalesce(short_desc, '') = ''$$, 'every setting is described');
SELECT throws_ok('SET autosync.no_such_setting = 1', '42602', NULL, 'the prefix is reserved');

CREATE ROLE settings_user;
SET LOCAL ROLE settings_user;
SELECT lives_ok($$SET LOCAL autosync.correlation_id = 'request 7'$$, 'anybody may stamp a correlation');
SELECT throws_ok($$SET LOCAL autosync.enabled = off$$, '42501', NULL, 'an ordinary role may not switch capture off');
SELECT throws_ok($$SET LOCAL autosync.origin = 'graph'$$, '42501', NULL, 'an ordinary role may not claim an origin');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
