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
    category_id int REFERENCES categories,
    description text
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
SELECT row_number() OVER (ORDER BY kind, thing), kind || ' ' || thing, (row_number() OVER (ORDER BY kind, thing) * 37 % 9000) / 100.0 + 1,
       row_number() OVER (ORDER BY kind, thing) % 4 + 2, use
FROM unnest('{Small,Large,Red,Classic,Nordic}'::text[]) AS kind, (VALUES
    ('scarf', 'woollen, keeps the neck warm on cold days'), ('mittens', 'knitted, for hands in the snow'),
    ('blanket', 'thick and soft, for freezing nights'), ('ski jacket', 'keeps the cold and the wind out'),
    ('hot-water bottle', 'a warm bed in January'), ('sun hat', 'straw, for hot days at the beach'), ('sandals', 'light shoes for the summer'),
    ('umbrella', 'stays whole in a storm'), ('rubber boots', 'for puddles and mud'), ('tent', 'sleeps two, stays dry in the rain'),
    ('spade', 'for digging the vegetable bed'), ('watering can', 'for thirsty plants'), ('hammer', 'drives nails into wood'),
    ('saw', 'cuts boards and branches'), ('drill', 'makes holes in walls, with two batteries'),
    ('ladder', 'three metres, for roofs and apple trees'), ('lantern', 'light for the garden path'), ('novel', 'a love story by the sea'),
    ('atlas', 'maps of all countries'), ('almanac', 'moon, tides and weather of the year'), ('cookbook', 'recipes for every day'),
    ('tea pot', 'of cast iron, keeps tea hot'), ('coffee mill', 'grinds beans for espresso'), ('bread knife', 'cuts crusts without crumbs'),
    ('frying pan', 'for eggs and pancakes'), ('guitar', 'six strings and a bright sound'), ('flute', 'of pear wood, for beginners'),
    ('chess set', 'two players, many evenings'), ('jigsaw puzzle', 'a thousand pieces of sky'), ('kite', 'flies in a light breeze'),
    ('football', 'for the park and the yard'), ('bicycle lamp', 'charged by cable'), ('suitcase', 'four wheels, cabin size'),
    ('camera', 'for birds and faces'), ('telescope', 'shows the rings of Saturn'), ('notebook', 'squared paper, two hundred pages'),
    ('fountain pen', 'writes blue'), ('soap', 'smells of lavender'), ('towel', 'dries hair quickly'), ('candle', 'beeswax, burns for a day')) AS things (thing, use);
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
