-- A small shop: every kind of foreign key that a graph has to get right.
CREATE TABLE categories (
    id        int PRIMARY KEY,
    name      text NOT NULL,
    parent_id int REFERENCES categories
);
CREATE TABLE products (
    id          int PRIMARY KEY,
    name        text NOT NULL,
    price       numeric(10, 2) NOT NULL,
    category_id int REFERENCES categories
);
CREATE TABLE tags (
    tag text PRIMARY KEY
);
-- A join table: its primary key is exactly its two foreign keys, so it becomes a relationship.
CREATE TABLE product_tags (
    product_id int NOT NULL REFERENCES products ON DELETE CASCADE,
    tag        text NOT NULL REFERENCES tags ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (product_id, tag)
);
CREATE TABLE customers (
    id     int PRIMARY KEY,
    name   text NOT NULL,
    email  text,
    city   text,
    joined date NOT NULL
);
CREATE TABLE orders (
    id          int PRIMARY KEY,
    customer_id int NOT NULL REFERENCES customers ON UPDATE CASCADE,
    placed_at   timestamptz NOT NULL,
    note        text
);
CREATE TABLE order_lines (
    id         int PRIMARY KEY,
    order_id   int NOT NULL REFERENCES orders ON DELETE CASCADE,
    product_id int NOT NULL REFERENCES products,
    quantity   int NOT NULL
);

INSERT INTO categories VALUES (1, 'Everything', NULL), (2, 'Books', 1), (3, 'Novels', 2), (4, 'Tools', 1), (5, 'Garden', 4);
INSERT INTO products
SELECT i, (ARRAY['Almanac', 'Spade', 'Novel', 'Lantern', 'Atlas'])[i % 5 + 1] || ' no. ' || i, (i * 37 % 9000) / 100.0 + 1, i % 4 + 2 FROM generate_series(1, 200) i;
INSERT INTO tags VALUES ('new'), ('gift'), ('used');
INSERT INTO product_tags SELECT i, (ARRAY['new', 'gift', 'used'])[i % 3 + 1] FROM generate_series(1, 200) i;
INSERT INTO product_tags SELECT i, (ARRAY['gift', 'used', 'new'])[i % 3 + 1] FROM generate_series(1, 50) i;
INSERT INTO customers
SELECT i, (ARRAY['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Zoë'])[i % 6 + 1] || ' ' || i, 'c' || i || '@example.org',
       (ARRAY['Lisbon', 'Zürich', 'Oslo', 'Kraków'])[i % 4 + 1], date '2024-01-01' + i
FROM generate_series(1, 500) i;
INSERT INTO orders SELECT i, i % 500 + 1, timestamptz '2024-06-01 12:00+00' + i * interval '7 minutes', NULL FROM generate_series(1, 2000) i;
INSERT INTO order_lines SELECT i, i % 2000 + 1, i * 7 % 200 + 1, i % 3 + 1 FROM generate_series(1, 6000) i;
ANALYZE;
