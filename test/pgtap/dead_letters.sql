-- Dead letters: their owner sees, retries and discards them, nobody else.
BEGIN;
SELECT plan(16);

CREATE ROLE letters_owner;
CREATE ROLE letters_other;
CREATE SERVER letters FOREIGN DATA WRAPPER autosync_test;
SELECT autosync.adopt_database();
CREATE TABLE public.letters_mine (id int PRIMARY KEY);
CREATE TABLE public.letters_others (id int PRIMARY KEY);
CREATE TRIGGER _autosync_letters AFTER INSERT OR UPDATE OR DELETE ON public.letters_mine FOR EACH ROW EXECUTE FUNCTION autosync.capture('letters', 'entity_type=letter');
ALTER TABLE public.letters_mine OWNER TO letters_owner;
ALTER TABLE public.letters_others OWNER TO letters_other;

INSERT INTO autosync.exceptions (instance, target, source, key, event_id, operation, status, attempts, last_error, request, answer, created_at, updated_at)
SELECT i.id, 'letters', t.source, t.key, t.key || '-0001-0000', t.operation, t.status, 3, 'refused', 'SEND', 'no', now(), now()
FROM autosync.instance i, (VALUES
    ('public.letters_mine'::regclass, '1', 'insert', 'FAILED'), ('public.letters_mine'::regclass, '2', 'update', 'FAILED'),
    ('public.letters_mine'::regclass, '3', 'delete', 'RETRYING'), ('public.letters_others'::regclass, '4', 'insert', 'FAILED')) t (source, key, operation, status);

SELECT is((SELECT count(*) FROM autosync.failed_events), 3::bigint, 'a superuser sees all dead letters');
SET LOCAL ROLE letters_owner;
SELECT results_eq('SELECT source, event_type, entity_type, entity_id, attempts, last_error, request, answer FROM autosync.failed_events ORDER BY entity_id',
    $$VALUES ('public.letters_mine', 'LETTER_CREATED', 'letter', '1', 3, 'refused', 'SEND', 'no'), ('public.letters_mine', 'LETTER_UPDATED', 'letter', '2', 3, 'refused', 'SEND', 'no')$$,
    'the owner sees its own');
SELECT results_eq($$SELECT entity_id, event_type, status FROM autosync.event_log ORDER BY entity_id$$,
    $$VALUES ('1', 'LETTER_CREATED', 'FAILED'), ('2', 'LETTER_UPDATED', 'FAILED'), ('3', 'LETTER_DELETED', 'RETRYING')$$, 'event_log shows them with their status');
SELECT throws_ok($$SELECT autosync.retry(source => 'public.letters_others')$$, '42501', 'must be owner of table letters_others', 'not somebody else''s');
SELECT is(autosync.retry(event_id => '4-0001-0000'), 0::bigint, 'nor by the id of the event');
SELECT is(autosync.discard(event_id => '4-0001-0000'), 0::bigint, 'nor are they discarded');
SELECT is(autosync.retry('letters', event_id => '1-0001-0000'), 1::bigint, 'one by its id');
SELECT is(autosync.discard(), 1::bigint, 'all that are left');
SELECT is(autosync.retry(), 0::bigint, 'what was discarded or is tried already is not tried again');
RESET ROLE;
SELECT results_eq('SELECT key, status, attempts, next_attempt_at IS NOT NULL FROM autosync.exceptions ORDER BY key',
    $$VALUES ('1', 'RETRYING', 0, true), ('2', 'DISCARDED', 3, false), ('3', 'RETRYING', 3, false), ('4', 'FAILED', 3, false)$$, 'as decided');
SET LOCAL ROLE letters_other;
SELECT is((SELECT count(*) FROM autosync.event_log), 1::bigint, 'the other owner sees the other one');
RESET ROLE;
SELECT is(autosync.retry(source => 'public.letters_others'), 1::bigint, 'a superuser decides on all');
SELECT throws_ok($$SELECT autosync.retry('nowhere')$$, '42704', 'target "nowhere" does not exist', 'an unknown target is an error');

UPDATE autosync.exceptions SET status = 'FAILED';
DROP TABLE public.letters_others;
SET LOCAL ROLE letters_owner;
SELECT is((SELECT count(*) FROM autosync.failed_events), 3::bigint, 'a table that is gone leaves its letters');
RESET ROLE;
SELECT is((SELECT count(*) FROM autosync.failed_events), 4::bigint, 'to the superuser');
SELECT is(autosync.discard(), 4::bigint, 'who decides on them');

SELECT * FROM finish();
ROLLBACK;
