-- Options are checked where they are declared, by name and by value; a hint names what was meant.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
SELECT autosync.adopt_database();
RESET client_min_messages;
CREATE SCHEMA options;
SET search_path = options;
\set SHOW_CONTEXT never

-- servers
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', databas 'neo4j');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', colour 'red');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', password 'not for a server');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', fail 'x');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', batch_size 'many');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', request_timeout '5 parsecs');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', sslmode 'prefer');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'neo4j://db.example.com:7687');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'neo4j+s://0a1b2c.databases.neo4j.io');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'bolt://db.example.com');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'file:///etc/passwd');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://neo4j:s3cret@db.example.com');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (database 'neo4j');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER try FOREIGN DATA WRAPPER autosync_test OPTIONS (url 'http://127.0.0.1:1');
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', batch_size '200', enabled 'off', rate_limit '0.5');
ALTER SERVER graph OPTIONS (SET batch_size '-1');
ALTER SERVER graph OPTIONS (ADD event_ttl 'soon');
ALTER SERVER graph OPTIONS (DROP url);
ALTER SERVER graph OPTIONS (ADD max_attempts '7');
CREATE SERVER try FOREIGN DATA WRAPPER autosync_test OPTIONS (max_attempts '5');

-- user mappings: no value is ever shown
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (user_name 'neo4j');
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'neo4j', password E's3cret\nwith a line break');
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'neo4j', password 's3cret', password_file 'neo4j');
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'neo4j', bearer_token 's3cret');
CREATE USER MAPPING FOR PUBLIC SERVER try OPTIONS (password 's3cret');
CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username 'neo4j', password_file 'neo4j');

-- syncs
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, active bool NOT NULL DEFAULT true, email text);
SELECT autosync.add_sync('customers', 'graph', '{"lable": "Customer"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"label": "Customer"}');
SELECT autosync.add_sync('customers', 'try', '{"url": "http://127.0.0.1"}');
SELECT autosync.add_sync('customers', 'graph', '{"label": ["Customer"]}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"filter": {"id": 1}}');
SELECT autosync.add_sync('customers', 'try', '{"columns": ["id", "nmae"]}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"columns": ["id"], "exclude": ["name"]}');
SELECT autosync.add_sync('customers', 'try', '{"columns": []}');
SELECT autosync.add_sync('customers', 'try', '{"operations": "insert,upsert"}');
SELECT autosync.add_sync('customers', 'try', '{"on_delete": "explode"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"filter": "activ"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"filter": "name"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"filter": "true) OR (false"}');
\echo :LAST_ERROR_SQLSTATE
SELECT autosync.add_sync('customers', 'try', '{"filter": "true) FROM pg_class WHERE (true"}');
SELECT autosync.add_sync('customers', 'try', '{"filter": "true); DROP TABLE customers; SELECT (true"}');
SELECT autosync.add_sync('customers', 'try', '{"filter": "count(*) > 1"}');
SELECT autosync.add_sync('customers', 'try', '{"filter": null}');
SELECT autosync.add_sync('customers', 'try', '["filter"]');
SELECT autosync.add_sync('customers', 'graph', '{"relationships": {"email": {"type": "X"}}}');
CREATE TRIGGER t AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try', 'filter=active', 'filter=true');
CREATE TRIGGER t AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION autosync.capture('try', 'active');
-- a condition may end in a comment, and see a name of the table's own
SELECT autosync.add_sync('customers', 'try', '{"filter": "customers.active -- the others stay here", "batch_size": 50}');

-- precedence: sync, server, setting, built-in; switched off anywhere is off
SELECT option, value, level FROM autosync.explain_options('customers', 'try')
    WHERE option IN ('enabled', 'batch_size', 'max_attempts', 'request_timeout', 'on_delete', 'filter', 'operations', 'fail');
SET autosync.enabled = off;
SELECT option, value, level, origin FROM autosync.explain_options('customers', 'try') WHERE option = 'enabled';
RESET autosync.enabled;
ALTER SERVER try OPTIONS (ADD enabled 'off');
SELECT option, value, level, origin FROM autosync.explain_options('customers', 'try') WHERE option = 'enabled';
SELECT autosync.explain_options('customers', 'graph');

SET client_min_messages = warning;
DROP SCHEMA options CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
