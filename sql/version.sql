-- version: the column that says which version of its entity a row is, shown beside what was delivered. What stands at the target is decided by PostgreSQL's newest row.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA version;
SET search_path = version;
SELECT autosync.add_target('mirror', 'test://');
CREATE TABLE things (id int PRIMARY KEY, v text, lock_version int, changed_at timestamptz DEFAULT '2026-11-21 20:00:00.5+00', exact numeric(18), wide numeric(19), rough numeric, cents numeric(9, 2), word text);

-- what can be none
SELECT autosync.add_sync('things', 'mirror', '{"version": "lock_versoin"}');
SELECT autosync.add_sync('things', 'mirror', '{"version": "word"}');
SELECT autosync.add_sync('things', 'mirror', '{"version": "rough"}');
SELECT autosync.add_sync('things', 'mirror', '{"version": "cents"}');
SELECT autosync.add_sync('things', 'mirror', '{"version": "wide"}');
SELECT autosync.add_sync('things', 'mirror', '{"version": ""}');

-- also when it is not among the columns that are sent
SELECT autosync.add_sync('things', 'mirror', '{"columns": ["id", "v"], "version": "lock_version"}');
INSERT INTO things VALUES (1, 'a', 0), (2, 'b', 7), (3, 'c', NULL);
SELECT autosync.wait_delivered();
SELECT entity_id, operation, source_version FROM autosync.event_log ORDER BY created_at, event_id;
UPDATE things SET lock_version = 1 WHERE id = 1;
UPDATE things SET word = 'not sent' WHERE id = 2;
SELECT autosync.wait_delivered();
SELECT key, last_synced_version, last_synced_at IS NOT NULL AS synced FROM autosync.sync_status ORDER BY key;

-- A version that falls is no older state: what PostgreSQL has committed last stands.
UPDATE things SET v = 'newest', lock_version = 3 WHERE id = 2;
SELECT autosync.wait_delivered();
SELECT key, last_synced_version FROM autosync.sync_status WHERE key = '2';
SELECT document ->> 'v' AS v, version > 1000000 AS by_our_clock FROM autosync.sent WHERE key = '2' ORDER BY sent_id DESC LIMIT 1;
DELETE FROM things WHERE id = 1;
SELECT autosync.wait_delivered();
SELECT operation, source_version FROM autosync.event_log WHERE entity_id = '1' ORDER BY created_at, event_id;

-- other types
SELECT autosync.alter_sync('things', 'mirror', '{"version": "changed_at"}');
UPDATE things SET v = 'd' WHERE id = 2;
UPDATE things SET v = 'd', changed_at = 'infinity' WHERE id = 3;
SELECT autosync.wait_delivered();
SELECT key, last_synced_version FROM autosync.sync_status WHERE key IN ('2', '3') ORDER BY key;
SELECT autosync.alter_sync('things', 'mirror', '{"version": "exact"}');
UPDATE things SET v = 'e', exact = 999999999999999999 WHERE id = 2;
UPDATE things SET v = 'e', exact = 'NaN' WHERE id = 3;
SELECT autosync.wait_delivered();
SELECT key, last_synced_version FROM autosync.sync_status WHERE key IN ('2', '3') ORDER BY key;
SELECT autosync.alter_sync('things', 'mirror', '{"version": null}');
UPDATE things SET v = 'f' WHERE id = 2;
SELECT autosync.wait_delivered();
SELECT last_synced_version = (SELECT max(version) FROM autosync.sent) AS ours FROM autosync.sync_status WHERE key = '2';

-- after a refusal, too
SELECT autosync.alter_sync('things', 'mirror', '{"version": "lock_version"}');
ALTER SERVER mirror OPTIONS (ADD fail 'bad', ADD max_attempts '1');
UPDATE things SET v = 'bad', lock_version = 4 WHERE id = 2;
SELECT autosync.wait_delivered();
SET autosync.delivery = wait;
UPDATE things SET v = 'good', lock_version = 5 WHERE id = 2;
RESET autosync.delivery;
SELECT status, source_version FROM autosync.event_log WHERE entity_id = '2' AND source_version IS DISTINCT FROM NULL ORDER BY created_at DESC, event_id DESC LIMIT 2;
SELECT last_synced_version FROM autosync.sync_status WHERE key = '2';
ALTER TABLE things DROP COLUMN lock_version;
SELECT status, detail FROM autosync.health() WHERE status <> 'ok';
DROP SCHEMA version CASCADE;
DROP EXTENSION autosync CASCADE;
