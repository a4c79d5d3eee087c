-- What foreign keys say: labels, relationships, join tables; and many tables at once, parents before children.
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS autosync CASCADE;
CREATE EXTENSION autosync;
SELECT autosync.adopt_database();
RESET client_min_messages;
CREATE SCHEMA infer;
SET search_path = infer;
\set SHOW_CONTEXT never
\pset format unaligned
CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url 'http://127.0.0.1:1', enabled 'off');

CREATE TABLE country (code char(2) PRIMARY KEY, name text);
CREATE TABLE customer (id int PRIMARY KEY, email text UNIQUE, country_code char(2) REFERENCES country);
CREATE TABLE address (customer_id int REFERENCES customer, no int, PRIMARY KEY (customer_id, no));
-- nullable, two to one table, composite, and one to columns that are not the key
CREATE TABLE "order" (id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, payer_id int REFERENCES customer, ship_to int, ship_no int,
    contact text REFERENCES customer (email), FOREIGN KEY (ship_to, ship_no) REFERENCES address);
CREATE TABLE employee (id int PRIMARY KEY, manager_id int REFERENCES employee);
CREATE TABLE product (id int PRIMARY KEY);
CREATE TABLE tag (id int PRIMARY KEY);
CREATE TABLE product_tag (product_id int REFERENCES product, tag_id int REFERENCES tag, since date, PRIMARY KEY (tag_id, product_id));
-- a key of two foreign keys, but it is pointed to: an entity
CREATE TABLE line (order_id bigint REFERENCES "order", product_id int REFERENCES product, PRIMARY KEY (order_id, product_id));
CREATE TABLE refund (id int PRIMARY KEY, order_id bigint, product_id int, FOREIGN KEY (order_id, product_id) REFERENCES line);
-- two foreign keys that are not the key
CREATE TABLE visit (id int PRIMARY KEY, customer_id int REFERENCES customer, product_id int REFERENCES product);
-- a cycle
CREATE TABLE egg (id int PRIMARY KEY, hen_id int);
CREATE TABLE hen (id int PRIMARY KEY, egg_id int REFERENCES egg);
ALTER TABLE egg ADD FOREIGN KEY (hen_id) REFERENCES hen;
-- partitions follow their table, also as parents
CREATE TABLE event (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE note (id int PRIMARY KEY, event_id int, event_day date, FOREIGN KEY (event_id, event_day) REFERENCES event, FOREIGN KEY (event_id, event_day) REFERENCES event_2024);
-- what is passed over
CREATE TABLE keyless (a int UNIQUE);
CREATE TABLE child_of_keyless (id int PRIMARY KEY, a int REFERENCES keyless (a));
CREATE VIEW everything AS SELECT * FROM customer;
CREATE TABLE "Odd.Name" (id int PRIMARY KEY, "of" int REFERENCES "Odd.Name");

SELECT * FROM autosync.add_schema('infer', 'graph', dry_run => true);
SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'infer'::regnamespace AND NOT t.tgisinternal;
SELECT * FROM autosync.add_schema('infer', 'graph', except_tables => '{custmer}');
SELECT * FROM autosync.add_schema('nowhere', 'graph');
SELECT * FROM autosync.add_tables('{customer,keyless}', 'graph');

-- declared labels and keys of parents are taken up by their children
BEGIN;
SELECT autosync.add_sync('customer', 'graph', '{"label": "Customer", "exclude": ["email"]}');
SELECT autosync.add_sync('address', 'graph', '{"relationships": {"customer_id": {"type": "LIVES_AT", "direction": "in"}}}');
SELECT * FROM autosync.add_tables('{order,country,address}', 'graph', dry_run => true);
SELECT source, label, status FROM autosync.add_schema('infer', 'graph', except_tables => '{line,refund,infer.visit,egg,hen,note}');
SELECT source::regclass, kind FROM autosync.jobs ORDER BY source::regclass::text;
ROLLBACK;

-- a join table made an entity, an entity made a relationship
SELECT * FROM autosync.add_tables('{product_tag}', 'graph', '{"relationship": "off"}', dry_run => true);
SELECT * FROM autosync.add_tables('{visit}', 'graph', '{"relationship": {"type": "SAW", "from": "product_id", "to": "customer_id"}}', dry_run => true);
SELECT * FROM autosync.add_tables('{order}', 'graph', '{"relationships": "off"}', dry_run => true);

SET client_min_messages = warning;
DROP SCHEMA infer CASCADE;
RESET search_path;
DROP EXTENSION autosync CASCADE;
