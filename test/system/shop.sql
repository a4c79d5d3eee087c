-- Foreign keys of every sort: nullable, self-referencing, composite, two to the same table, to a unique key that is not the primary one; two join tables; many types.
CREATE TABLE regions (
    country text NOT NULL,
    code    int NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (country, code)
);
CREATE TABLE people (
    id         int PRIMARY KEY,
    login      text NOT NULL UNIQUE,
    name       text,
    born       date,
    active     boolean,
    balance    numeric(12, 2),
    seen_at    timestamptz,
    manager_id int REFERENCES people
);
CREATE TABLE parcels (
    id             bigint PRIMARY KEY,
    sender_id      int NOT NULL REFERENCES people,
    receiver_id    int REFERENCES people,
    region_country text,
    region_code    int,
    weight         double precision,
    packed         timestamp,
    FOREIGN KEY (region_country, region_code) REFERENCES regions (country, code)
);
CREATE TABLE "Odd ""name`" (
    "key of it" text PRIMARY KEY,
    "Wert"      text,
    parcel_id   bigint REFERENCES parcels
);
CREATE TABLE parcel_people (
    parcel_id bigint NOT NULL REFERENCES parcels,
    person_id int NOT NULL REFERENCES people,
    role      text,
    PRIMARY KEY (parcel_id, person_id)
);
INSERT INTO regions SELECT (ARRAY['pt', 'ch', 'no'])[i % 3 + 1], i, 'region ' || i FROM generate_series(1, 20) i;
INSERT INTO people SELECT i, 'login' || i, 'person ' || i, date '1970-01-01' + i * 37, i % 2 = 0, i * 1.25, timestamptz '2024-01-01 00:00+00' + i * interval '1 hour', nullif(i / 10, 0)
FROM generate_series(1, 300) i;
INSERT INTO parcels SELECT i, i % 300 + 1, nullif(i % 301, 0), r.country, r.code, i / 8.0, timestamp '2024-01-01' + i * interval '61 seconds'
FROM generate_series(1, 600) i LEFT JOIN regions r ON r.code = i % 25;
INSERT INTO "Odd ""name`" SELECT 'k' || i, 'w' || i, i FROM generate_series(1, 100) i;
INSERT INTO parcel_people SELECT i, i * 7 % 300 + 1, 'role ' || i FROM generate_series(1, 600) i;
