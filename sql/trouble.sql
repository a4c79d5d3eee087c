-- What keeps a table from being read keeps nothing else: no row is blamed for it, no other table or target waits.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA trouble;
SET search_path = trouble;
SELECT autosync.add_target('try', 'test://', '{"max_attempts": "1", "request_timeout": "500ms"}') \gset
SELECT autosync.add_target('other', 'test://') \gset
CREATE TABLE mood (code text, seconds float);
CREATE FUNCTION moody(int) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    now record;
BEGIN
    SELECT * INTO now FROM trouble.mood;
    IF now.code IS NOT NULL THEN
        RAISE EXCEPTION 'the mood is %', now.code USING ERRCODE = now.code;
    END IF;
    PERFORM pg_sleep(now.seconds);
    RETURN true;
END $$;
CREATE TABLE moody (id int PRIMARY KEY, v text);
CREATE TABLE calm (id int PRIMARY KEY, v text);
SELECT autosync.add_sync('moody', 'try', '{"filter": "trouble.moody(id)"}', backfill => false) \gset
SELECT autosync.add_sync('calm', 'try', backfill => false) \gset
SELECT autosync.add_sync('calm', 'other', backfill => false) \gset
RESET client_min_messages;

\getenv tests PG_ABS_SRCDIR
\set await :tests '/test/regress/await.sql'
\i :await

-- errors that tell of the server and of the moment, not of the row: 25, 40, 53, 57, 58
CREATE PROCEDURE suffer(number int, error text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mood VALUES (error, 0);
    COMMIT;
    INSERT INTO moody VALUES (number, 'in trouble');
    COMMIT;
    CALL await(format('EXISTS (SELECT FROM autosync.health() WHERE detail = %L)', 'the mood is ' || error));
    INSERT INTO calm VALUES (number, 'meanwhile');
    COMMIT;
    CALL await(format('(SELECT count(DISTINCT target) = 2 FROM autosync.sent WHERE source = ''trouble.calm'' AND key = %L)', number));
    IF EXISTS (SELECT FROM autosync.exceptions) THEN
        RAISE WARNING '% was counted against a row', error;
    END IF;
    DELETE FROM mood;
    COMMIT;
    IF NOT autosync.wait_delivered() THEN
        RAISE WARNING '% was not got over', error;
    END IF;
    COMMIT;
END $$;
CALL suffer(1, '25001');
CALL suffer(2, '40001');
CALL suffer(3, '53100');
CALL suffer(4, '53200');
CALL suffer(5, '57014');
CALL suffer(6, '58030');
SELECT key, operation FROM autosync.sent WHERE source = 'trouble.moody' ORDER BY key;
-- also while a backfill reads
INSERT INTO mood VALUES ('53100', 0);
SELECT autosync.backfill('moody') > 0 AS requested;
INSERT INTO calm VALUES (7, 'meanwhile');
SELECT autosync.backfill('calm') > 0 AS requested;
CALL await('NOT EXISTS (SELECT FROM autosync.jobs WHERE source = ''calm''::regclass)');
SELECT count(*) FROM autosync.exceptions;
DELETE FROM mood;
SELECT autosync.wait_delivered();

-- a filter that takes too long
INSERT INTO mood VALUES (NULL, 3600);
INSERT INTO moody VALUES (10, 'sleepy');
CALL await('EXISTS (SELECT FROM autosync.health() WHERE detail ~ ''takes longer'')');
SELECT "check", status, detail FROM autosync.health() WHERE detail ~ 'takes longer';
INSERT INTO calm VALUES (10, 'awake');
CALL await('(SELECT count(DISTINCT target) = 2 FROM autosync.sent WHERE source = ''trouble.calm'' AND key = ''10'')');
SELECT count(*) FROM autosync.exceptions;
SELECT autosync.wait_delivered('other');
-- declared otherwise it is read at once
SELECT autosync.alter_sync('moody', 'try', '{"filter": null}') \gset
SELECT autosync.wait_delivered();
SELECT key, operation FROM autosync.sent WHERE source = 'trouble.moody' AND key = '10' GROUP BY 1, 2;

-- how often a refused row is tried, and how many rows go into a request, is the sync's to say before it is the target's
SELECT autosync.alter_sync('calm', 'try', '{"max_attempts": 2, "batch_size": 1}') \gset
SELECT autosync.wait_delivered() \gset
SELECT autosync.stat_reset('try') \gset
INSERT INTO calm VALUES (21, 'breeze'), (22, 'breeze'), (23, 'breeze');
SELECT autosync.wait_delivered();
CALL await('(SELECT requests >= 3 FROM autosync.stat_targets WHERE target = ''try'')'); -- which are counted after that
SELECT requests FROM autosync.stat_targets WHERE target = 'try';
ALTER SERVER try OPTIONS (ADD fail 'storm', ADD retry_initial_delay '1ms');
INSERT INTO calm VALUES (20, 'storm');
INSERT INTO moody VALUES (20, 'storm');
CALL await('(SELECT count(*) = 2 FROM autosync.failed_events)');
SELECT source, attempts FROM autosync.failed_events ORDER BY source;

-- what was refused of rows that TRUNCATE has taken away is over
TRUNCATE calm;
CALL await('(SELECT count(*) = 1 FROM autosync.failed_events)');
CALL await('NOT EXISTS (SELECT FROM autosync.jobs)'); -- what TRUNCATE has to remove is not under way when the next test begins
SELECT source FROM autosync.failed_events;

SET client_min_messages = warning;
DROP SCHEMA trouble CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
