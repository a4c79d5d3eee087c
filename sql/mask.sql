-- What is masked does not leave the database as it is.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
CREATE SCHEMA mask;
SET search_path = mask;
SELECT autosync.add_target('try', 'test://') \gset
CREATE VIEW arrived AS
    SELECT DISTINCT ON (source, key) source, key, operation, document FROM autosync.sent ORDER BY source, key, sent_id DESC;

CREATE TABLE people (id int PRIMARY KEY, name text, email text, born timestamptz, pay numeric(10, 2), boss int REFERENCES people);
INSERT INTO people VALUES (1, 'Ada', 'ada@example.com', '1815-12-10 00:00:00+00', 10.50, NULL), (2, 'Bob', NULL, NULL, NULL, 1);
SELECT autosync.add_sync('people', 'try', '{"mask": {"email": "hash", "born": "hash", "pay": "null", "name": "***", "boss": null}}');
SELECT autosync.wait_delivered('try');
SELECT key, document FROM arrived ORDER BY key;
SELECT document ->> 'email' = encode(sha256('ada@example.com'), 'hex') AS of_the_text, document ->> 'born' = encode(sha256('1815-12-10T00:00:00Z'), 'hex') AS of_the_canonical_text
FROM arrived WHERE key = '1';

-- whatever the session's settings; and preview shows no more
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
SELECT p.body::jsonb -> 0 -> 'document' = a.document AS same FROM arrived AS a, autosync.preview('people', '1', 'try') AS p WHERE a.key = '1';
RESET ALL;
SET client_min_messages = warning;
SET search_path = mask;

-- what was sent before is written over when a mask is declared; nothing tells in a dead letter
CREATE TABLE cards (id int PRIMARY KEY, number text);
INSERT INTO cards VALUES (1, '4111');
SELECT autosync.add_sync('cards', 'try');
SELECT autosync.wait_delivered('try');
SELECT autosync.alter_sync('cards', 'try', '{"mask": {"number": "(hidden)"}, "max_attempts": 1}');
SELECT autosync.wait_delivered('try');
SELECT document FROM arrived WHERE source = 'mask.cards';
ALTER SERVER try OPTIONS (ADD fail 'hidden');
INSERT INTO cards VALUES (2, '4222');
SELECT autosync.wait_delivered('try');
SELECT entity_id, request LIKE '%(hidden)%' AS masked, concat(request, answer, last_error) LIKE '%4222%' AS told FROM autosync.failed_events;
SELECT autosync.discard('try');
ALTER SERVER try OPTIONS (DROP fail);

-- filter and soft_delete see the row as it is
SELECT autosync.alter_sync('cards', 'try', '{"filter": "number <> ''4222''"}');
INSERT INTO cards VALUES (3, '4333');
SELECT autosync.wait_delivered('try');
SELECT key, operation, document FROM arrived WHERE source = 'mask.cards' ORDER BY key;

-- said at once
CREATE TABLE plain (id int PRIMARY KEY, email text);
SELECT autosync.add_sync('plain', 'try', '{"mask": {"id": "hash"}}');
SELECT autosync.add_sync('plain', 'try', '{"mask": {"mail": "hash"}}');
SELECT autosync.add_sync('plain', 'try', '{"mask": {"email": 1}}');
SELECT autosync.add_sync('plain', 'try', '{"mask": "email"}');
SELECT autosync.add_sync('plain', 'try', '{"mask": {}}');
CREATE TRIGGER _autosync_try AFTER INSERT OR UPDATE OR DELETE ON plain FOR EACH ROW EXECUTE FUNCTION autosync.capture('try', 'mask={"id": "hash"}');
SELECT option, value, level FROM autosync.explain_options('cards', 'try') WHERE option IN ('mask', 'soft_delete');

-- a text to be embedded
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embed_url 'http://127.0.0.1:1/v1', model 'm');
SELECT autosync.add_sync('plain', 'vectors', '{"embed_expression": "''to '' || Email", "mask": {"email": "hash"}}', backfill => false);
SELECT autosync.add_sync('plain', 'vectors', '{"embed_expression": "plain::text", "mask": {"email": "hash"}}', backfill => false);
CREATE TABLE given (id int PRIMARY KEY, v real[]);
SELECT autosync.add_sync('given', 'vectors', '{"vector": "v", "mask": {"v": "hash"}}', backfill => false);
SELECT autosync.add_sync('plain', 'vectors', '{"embed_expression": "''a text about e-mails''", "mask": {"email": "hash"}}', backfill => false);

DROP EXTENSION autosync CASCADE;
SET client_min_messages = error;
DROP SCHEMA mask CASCADE;
