-- Rows as vectors: what is declared is checked at once, and no server is asked for it.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
RESET client_min_messages;
CREATE SCHEMA vectors;
SET search_path = vectors;
\set SHOW_CONTEXT never
\set VERBOSITY default

CREATE TABLE products (id int PRIMARY KEY, name text, description text, price numeric, embedding real[], embedded text, attributes jsonb, made date);
CREATE TABLE others (id int PRIMARY KEY, name text);
CREATE TABLE tokens (id uuid PRIMARY KEY, name text);
CREATE TABLE lines (book int, number int, words text, PRIMARY KEY (book, number));

-- a server that turns texts into vectors is none that is synced to
CREATE SERVER ai FOREIGN DATA WRAPPER autosync_openai;
CREATE SERVER ai FOREIGN DATA WRAPPER autosync_openai OPTIONS (url 'openai://api.openai.com/v1');
CREATE SERVER ai FOREIGN DATA WRAPPER autosync_openai OPTIONS (url 'http://127.0.0.1:1/v1', batch_size '10');
CREATE SERVER ai FOREIGN DATA WRAPPER autosync_openai OPTIONS (url 'http://127.0.0.1:1/v1/', model 'small');
CREATE USER MAPPING FOR PUBLIC SERVER ai OPTIONS (api_key 'secret', api_key_file 'secret');
CREATE USER MAPPING FOR PUBLIC SERVER ai OPTIONS (api_key 'secret');
SELECT autosync.add_sync('products', 'ai', '{"embed": ["name"]}');
CREATE TRIGGER t AFTER INSERT ON products FOR EACH ROW EXECUTE FUNCTION autosync.capture('ai', 'embed=name');
SELECT autosync.pause('ai');
SELECT ok, detail <> '' AS told FROM autosync.check_target('ai');

-- a target names its embedder, and depends on it
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant;
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'qdrant://db');
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embedder 'nobody');
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embedder 'ai', embed_url 'http://127.0.0.1:1/v1');
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', distance 'cosine');
CREATE SERVER vectors FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embedder 'ai');
CREATE SERVER wrong FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embedder 'vectors');
ALTER SERVER ai RENAME TO intelligence;
DROP SERVER ai;
SELECT target FROM autosync.target_rows() ORDER BY target;
SET client_min_messages = warning;
CREATE SERVER given FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1');
CREATE SERVER silent FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url 'http://127.0.0.1:1', embed_url 'http://127.0.0.1:1/v1');

-- options of a sync, alone and together
SELECT autosync.add_sync('products', 'vectors');
SELECT autosync.add_sync('products', 'vectors', '{"embed": ["nam"]}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": {"title": "nam"}}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": {"": "name"}}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": ["name"], "embed_expression": "name"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": ["name"], "vector": "embedding"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": {"a": "name"}, "vector": {"a": "embedding"}}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": ["name"], "vector": {"a": "embedding"}}');
SELECT autosync.add_sync('products', 'vectors', '{"vector": "price"}');
SELECT autosync.add_sync('products', 'vectors', '{"vector": "attributes"}');
SELECT autosync.add_sync('products', 'vectors', '{"vector": "name,embedding"}');
SELECT autosync.add_sync('products', 'given', '{"vector": "embedding", "model": "small"}');
SELECT autosync.add_sync('products', 'given', '{"vector": "embedding", "max_tokens_per_day": 5}');
SELECT autosync.add_sync('products', 'given', '{"embed": "name"}');
SELECT autosync.add_sync('products', 'silent', '{"embed": "name"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "payload": ["price"], "exclude": ["name"]}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "payload": ["prise"]}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "payload_indexes": {"prise": "float"}}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "payload_indexes": {"price": "number"}}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "payload": ["name"], "payload_indexes": {"price": "float"}}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "id": "key"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed": "name", "overflow": "cut"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed_expression": "name FROM others"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed_expression": "nam"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed_expression": "string_agg(name, '','')"}');
SELECT autosync.add_sync('products', 'vectors', '{"embed_expression": "name), (description"}');
SELECT count(*) FROM autosync.syncs;

-- what fits
SELECT autosync.add_sync('products', 'vectors', '{"embed_expression": "name || '' costs '' || price", "payload": ["made", "price"], "filter": "price > 0"}');
SELECT autosync.add_sync('others', 'vectors', '{"embed": "name", "collection": "products"}');
SELECT autosync.add_sync('others', 'vectors', '{"embed": {"words": "name"}}');
SELECT autosync.add_sync('tokens', 'vectors', '{"embed": "name", "id": "key"}');
SELECT autosync.add_sync('lines', 'vectors', '{"embed": "words", "model": "large", "max_tokens_per_day": 1000}');
SELECT source, options FROM autosync.syncs ORDER BY source;
SELECT option, value, level FROM autosync.explain_options('lines', 'vectors') WHERE option IN ('model', 'max_tokens_per_day', 'overflow', 'distance') ORDER BY option;
RESET client_min_messages;
SELECT autosync.alter_sync('lines', 'vectors', '{"model": "larger"}');
ALTER SERVER vectors OPTIONS (ADD dimensions '3');

-- ids of points stay the same for ever
SELECT autosync.point_id('products', '42'), autosync.point_id('products', '-1');
SELECT autosync.point_id('tokens', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11');
SELECT autosync.point_id('lines', '{"number": 2, "book": 1}');
SELECT autosync.point_id('lines', '1');
SELECT autosync.point_id('others', NULL);

-- functions say what is wrong with what they are given
SELECT autosync.search('products', 'nowhere', 'x');
SELECT autosync.search('products', 'ai', 'x');
SELECT autosync.search('products', 'given', 'x');
SELECT autosync.search('products', 'vectors', ' ');
SELECT autosync.search('products', 'vectors', 'x', 0);
SELECT autosync.search('products', 'vectors', 'x', 5, '[]');
SELECT autosync.search('products', 'vectors', NULL);
\set VERBOSITY terse
SELECT autosync.search('products', 'vectors', 'x');
\set VERBOSITY default
SELECT autosync.rebuild('products', 'given');
SELECT autosync.rebuild('products', 'vectors');
SET client_min_messages = warning;
CREATE SERVER mirror FOREIGN DATA WRAPPER autosync_test;
SELECT autosync.add_sync('products', 'mirror');
SELECT autosync.search('products', 'mirror', 'x');
SELECT autosync.rebuild('products', 'mirror');
SELECT autosync.estimate('products', 'mirror');

-- what a backfill would cost; nobody answers how long it takes
INSERT INTO products (id, name, price) VALUES (1, 'ice', 1), (2, NULL, 2), (3, 'free', 0), (4, 'mitten', 4);
SELECT * FROM autosync.estimate('products', 'vectors');
CREATE ROLE vectors_reader;
GRANT USAGE ON SCHEMA vectors TO vectors_reader;
SET ROLE vectors_reader;
SELECT autosync.search('products', 'vectors', 'x');
SELECT autosync.rebuild('products', 'vectors');
SELECT autosync.estimate('products', 'vectors');
RESET ROLE;
GRANT SELECT (id) ON products TO vectors_reader;
SET ROLE vectors_reader;
\set VERBOSITY terse
SELECT autosync.search('products', 'vectors', 'x');
RESET ROLE;

SET client_min_messages = warning;
DROP SERVER ai CASCADE;
SELECT srvname FROM pg_foreign_server ORDER BY srvname;
DROP SCHEMA vectors CASCADE;
DROP ROLE vectors_reader;
RESET search_path;
DROP EXTENSION autosync CASCADE;
