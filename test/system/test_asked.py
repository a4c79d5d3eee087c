"""What the targets themselves answer when they are asked for one entity: diff(), why()."""
import json
import threading

import pytest

from vectors import MODEL

GRAPH_TABLES = """
CREATE TABLE people (id int PRIMARY KEY, name text);
CREATE TABLE things (id int PRIMARY KEY, person_id int REFERENCES people, name text, price numeric(10,2), exact numeric, ratio float8, big bigint, fine bool,
    born date, made timestamptz, at timestamp, daily time, tags text[], days date[], more jsonb, code uuid, raw bytea, nothing text);
CREATE TABLE likes (person_id int REFERENCES people, thing_id int REFERENCES things, since date, PRIMARY KEY (person_id, thing_id));
INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob');
INSERT INTO things VALUES (1, 1, 'bag «ö»', 10.50, 12345678901234567890.5, 0.1, 9007199254740993, true, '2024-02-29', '2024-02-29 12:00:00.123456+02',
    '2024-02-29 12:00', '23:59:59', '{a,b}', '{2024-01-01}', '{"a": [1, 2.0]}', '6f1d3c52-8a4e-4b7f-9c21-0d3e4f5a6b7c', '\\x00ff', NULL),
    (2, NULL, 'cup', NULL, 'NaN', 'Infinity', -1, false, '0044-03-15 BC', 'infinity', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL);
INSERT INTO likes VALUES (2, 1, '2024-01-01');
"""


def diff(database, table, key, target):
    return {field: (ours, theirs) for field, ours, theirs in database.execute("SELECT * FROM autosync.diff(%s::regclass, %s, %s)", table, key, target)}


def why(database, table, key, target):
    return database.value("SELECT state FROM autosync.why(%s::regclass, %s, %s)", table, key, target)


@pytest.fixture(scope="module")
def people(database, graph):
    database.add_graph(graph)
    database.execute(GRAPH_TABLES)
    database.execute("SELECT autosync.add_tables('{people,things,likes}', 'graph')")
    database.wait_delivered()
    return database


def test_the_graph_holds_what_the_rows_say(people, cypher):
    like = '{"person_id": 2, "thing_id": 1}'
    for table, key in (("people", "1"), ("things", "1"), ("things", "2"), ("likes", like)):
        assert diff(people, table, key, "graph") == {}
        assert why(people, table, key, "graph") == "delivered"
    cypher("MATCH (n:`_public.things` {_key: '1'}) SET n.name = 'box', n.born = date('2024-03-01'), n.extra = 1 REMOVE n.price, n:things")
    cypher("MATCH (:`_public.things` {_key: '1'})-[r:PERSON]->() DELETE r")
    found = diff(people, "things", "1", "graph")
    assert found == {"name": ("bag «ö»", "box"), "born": ("2024-02-29", "2024-03-01"), "extra": (None, 1), "price": (10.5, None), "(label)": ("things", None),
                     "[PERSON public.things.person_id]": ("1", None)}
    assert why(people, "things", "1", "graph") == "different"
    cypher("MATCH ()-[r:LIKES {_row: $key}]->() DELETE r", key=like)
    assert diff(people, "likes", like, "graph") == {"since": ("2024-01-01", None), "person_id": (2, None), "thing_id": (1, None), "(from)": ("2", None), "(to)": ("1", None)}
    assert why(people, "likes", like, "graph") == "not_delivered"
    people.execute("SELECT autosync.publish('things', '1'), autosync.publish('likes', %s)", like)
    people.wait_delivered()
    assert diff(people, "things", "1", "graph") == diff(people, "likes", like, "graph") == {}


def test_a_deleted_row_stays_in_the_graph_where_its_last_state_says_so(people, cypher):
    people.execute("""CREATE TABLE orders (id int PRIMARY KEY, state text); INSERT INTO orders VALUES (1, 'paid'), (2, 'draft');
                      SELECT autosync.add_sync('orders', 'graph', '{"on_delete": "state <> ''paid''"}')""")
    people.wait_delivered()
    people.execute("DELETE FROM orders")
    people.wait_delivered()
    assert cypher("MATCH (n:orders) RETURN n._key") == [["1"]]
    assert diff(people, "orders", "1", "graph") == {}


def test_a_forgotten_entity_is_gone_and_stays_away(people, cypher):
    assert people.execute("SELECT target, state FROM autosync.forget('things', '2')") == [("graph", "erased")]
    assert cypher("MATCH (n:`_public.things` {_key: '2'}) RETURN [k IN keys(n) WHERE NOT k STARTS WITH '_'], labels(n)") == [[[], ["_public.things"]]]
    people.execute("UPDATE things SET name = 'tin' WHERE id = 2; SELECT autosync.backfill('things')")
    people.wait_delivered()
    assert cypher("MATCH (n:things {_key: '2'}) RETURN n") == []
    assert diff(people, "things", "2", "graph") == {} and why(people, "things", "2", "graph") == "forgotten"


def test_forget_takes_as_long_as_somebody_holds_a_lock(people):
    """The worker gives way to everybody; whoever asks it waits for as long as they like."""
    holder = people.connect()
    holder.cursor().execute("BEGIN; LOCK TABLE autosync.forgotten IN SHARE MODE")
    threading.Timer(0.5, holder.close).start()
    assert people.execute("SELECT target, state FROM autosync.forget('people', '2')") == [("graph", "erased")]


def test_qdrant_holds_what_the_rows_say(database, qdrant, embedder):
    qdrant.clear()
    embedder.control()
    database.execute("SELECT autosync.add_target('shop', %s, %s)", qdrant.url.replace("http://", "qdrant://"), json.dumps(
        {"embed_url": embedder.url, "embed_api_key": embedder.key, "api_key": qdrant.key, "model": MODEL}))
    database.execute("""CREATE TABLE goods (id int PRIMARY KEY, name text, price numeric(10,2), made timestamptz, more jsonb);
                        INSERT INTO goods VALUES (1, 'scarf', 10.50, '2024-02-29 12:00+00', '{"a": [1, 2.0]}'), (2, NULL, 1, NULL, NULL);
                        SELECT autosync.add_sync('goods', 'shop', '{"embed": "name", "payload": "id,name,price,made,more"}')""")
    database.wait_delivered("shop")
    assert diff(database, "goods", "1", "shop") == diff(database, "goods", "2", "shop") == {}
    assert why(database, "goods", "1", "shop") == "delivered"
    database.execute("SELECT autosync.pause('shop')")
    database.execute("UPDATE goods SET name = 'hat' WHERE id = 1; DELETE FROM goods WHERE id = 2; INSERT INTO goods VALUES (3, 'cup', 1, NULL, NULL)")
    found = diff(database, "goods", "1", "shop")
    assert set(found) == {"name", "_hash"} and found["name"] == ("hat", "scarf")
    assert diff(database, "goods", "3", "shop")["name"] == ("cup", None)
    assert why(database, "goods", "1", "shop") == "paused"
    database.execute("SELECT autosync.resume('shop')")
    database.wait_delivered("shop")
    assert database.execute("SELECT state, detail FROM autosync.forget('goods', '3')") == [("erased", None)]
    assert qdrant.result("POST", "/collections/goods/points", {"ids": [3]}) == []
    qdrant.fault(match="/points", status=503, count=1)
    assert database.value("SELECT reason FROM autosync.why('goods', '1', 'shop')").startswith("nothing of it is pending; whether the target still has it is not known")
    qdrant.fault()


def test_a_point_follows_the_rows_of_another_table(database, qdrant):
    database.execute("""CREATE TABLE films (id int PRIMARY KEY, title text); CREATE TABLE reviews (id int PRIMARY KEY, film_id bigint, said text);
                        INSERT INTO films VALUES (1, 'Alien'), (2, 'Brazil'); INSERT INTO reviews VALUES (1, 1, 'frightening')""")
    database.execute("SELECT autosync.add_sync('films', 'shop', %s)", json.dumps({
        "embed_expression": "title || coalesce((SELECT string_agg(said, ', ' ORDER BY id) FROM public.reviews WHERE film_id = films.id), '')",
        "refresh_on": {"reviews": "film_id"}}))

    def hashes():
        database.wait_delivered("shop")
        points = qdrant.result("POST", "/collections/films/points", {"ids": [1, 2], "with_payload": True})
        return {point["id"]: point["payload"]["_hash"] for point in points}

    before = hashes()
    database.execute("UPDATE reviews SET said = 'calm' WHERE id = 1")
    after = hashes()
    assert after[1] != before[1] and after[2] == before[2]
    database.execute("UPDATE reviews SET film_id = 2")
    moved = hashes()
    assert moved[1] != after[1] and moved[2] != after[2]
    database.execute("TRUNCATE reviews")
    assert hashes() == {1: moved[1], 2: before[2]}
