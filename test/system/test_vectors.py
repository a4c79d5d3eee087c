"""Rows that can be searched by meaning: what Qdrant holds is what the tables say and the model makes of it, and nothing is embedded twice."""
import contextlib
import datetime
import json
import re
import threading
import uuid

import psycopg2
import pytest

from vectors import MODEL, Declared, Scene, close, refusal, same_ranking

GOODS = [("Woollen scarf", "thick, soft and warm"), ("Ski jacket", "keeps the cold and the snow out"), ("Down blanket", "for freezing nights"),
         ("Sun hat", "made of straw, for hot days"), ("Electric drill", "with two batteries"), ("Hammer", "drives nails into wood"),
         ("Tea pot", "of cast iron, keeps tea hot"), ("Espresso machine", "strong coffee at home"), ("Novel", "a love story by the sea"),
         ("Atlas", "maps of all countries"), ("Rain boots", "for puddles and mud"), ("Bicycle lamp", "bright, charged by cable")]
QUERIES = ("something warm for winter", "a tool for building a shed", "hot drinks", "a book to read on the beach")
PRODUCTS = Declared("products", ["name", "description"], ["name", "price", "category_id"])


@pytest.fixture(scope="module")
def scene(database, qdrant, embedder):
    qdrant.clear()
    embedder.control()
    scene = Scene(database, qdrant, embedder)
    scene.target()
    return scene


@pytest.fixture(autouse=True)
def good_health(qdrant, embedder):
    yield
    qdrant.fault()
    embedder.control()


@pytest.fixture(scope="module")
def products(scene):
    """Declared as in the issue, with Qdrant's own kind of address."""
    database = scene.database
    database.execute("CREATE TABLE products (id int PRIMARY KEY, name text, description text, price numeric(10,2), category_id int, stock int)")
    for number, (name, description) in enumerate(GOODS, 1):
        database.execute("INSERT INTO products VALUES (%s, %s, %s, %s, %s, 10)", number, name, description, number + 0.5, number % 4)
    database.execute("SELECT autosync.add_target('shop', %s, %s)", scene.qdrant.url.replace("http://", "qdrant://"), json.dumps(
        {"embed_url": scene.embedder.url, "embed_api_key": scene.embedder.key, "api_key": scene.qdrant.key, "model": MODEL}))
    scene.sync("products", "shop", embed=["name", "description"], payload=["name", "price", "category_id"])
    PRODUCTS.target = "shop"
    scene.arrive("shop")
    return scene


def test_a_backfill_is_exact_and_ranks_as_brute_force_does(products):
    assert products.differences(PRODUCTS) == []
    assert [key for key, _ in products.check_ranking(PRODUCTS, QUERIES[0], 3)] == [key for key, _ in products.nearest(PRODUCTS, QUERIES[0], 3)]
    for query in QUERIES:
        products.check_ranking(PRODUCTS, query)


def test_changes_change_the_ranking(products):
    database = products.database
    database.execute("INSERT INTO products VALUES (100, 'Winter coat', 'the warmest thing for the winter', 19.9, 1, 3)")
    products.arrive("shop")
    assert products.check_ranking(PRODUCTS, QUERIES[0], 3)[0][0] == "100"
    database.execute("UPDATE products SET name = 'Garden hose', description = 'twenty metres' WHERE id = 100")
    products.arrive("shop")
    assert "100" not in [key for key, _ in products.check_ranking(PRODUCTS, QUERIES[0], 3)]
    database.execute("DELETE FROM products WHERE id = 100")
    products.arrive("shop")
    assert "100" not in [key for key, _ in products.check_ranking(PRODUCTS, "garden hose", 20)]
    assert products.differences(PRODUCTS) == []


def test_a_change_of_key_moves_the_point(products):
    with products.spent() as spent:
        products.database.execute("UPDATE products SET id = id + 1000 WHERE id = 12")
        products.arrive("shop")
    assert products.differences(PRODUCTS) == []
    assert spent["inputs"] <= 1
    products.database.execute("UPDATE products SET id = id - 1000 WHERE id = 1012")
    products.arrive("shop")
    assert products.differences(PRODUCTS) == []


def test_search_filters_and_limits(products):
    chosen = {"must": [{"key": "category_id", "match": {"value": 1}}]}
    found = products.search(PRODUCTS, QUERIES[0], 10, chosen)
    category = dict(products.database.execute("SELECT id::text, category_id FROM products"))
    assert len(found) == 3 and {category[key] for key, _ in found} == {1}
    assert len(products.search(PRODUCTS, QUERIES[0], 2)) == 2
    rows = products.database.execute("SELECT p.name, s.score FROM autosync.search('products', 'shop', %s, 5) s JOIN products p ON p.id = s.key::int"
                                     " ORDER BY s.score DESC", QUERIES[0])
    assert len(rows) == 5 and rows[0][0] in ("Woollen scarf", "Ski jacket", "Down blanket")


def test_unchanged_text_is_never_embedded_again(products):
    database = products.database
    skipped = products.status("shop")["embed_skipped"]
    with products.spent() as spent:
        database.execute("UPDATE products SET price = price + 1")                    # payload only
        database.execute("UPDATE products SET stock = stock - 1")                    # nothing of it is used
        products.arrive("shop")
        database.execute("SELECT autosync.backfill('products', 'shop')")             # delivered again
        products.arrive("shop")
        for (pid,) in database.execute("SELECT pid FROM autosync.stat_workers WHERE datname = current_database() AND pid IS NOT NULL"):
            database.execute("SELECT pg_terminate_backend(%s)", pid)                 # and whoever remembers is gone
        database.execute("SELECT autosync.backfill('products', 'shop')")
        database.execute("UPDATE products SET price = price + 1")
        products.arrive("shop")
    assert spent["requests"] == 0
    assert products.differences(PRODUCTS) == []
    products.until(lambda: products.status("shop")["embed_skipped"] > skipped, "counters")


def test_equal_texts_of_a_batch_are_embedded_once(products):
    with products.spent() as spent:
        products.database.execute("INSERT INTO products SELECT n, 'Snow globe', 'with glitter', 5, 1, 1 FROM generate_series(200, 399) n")
        products.arrive("shop")
    assert spent["inputs"] == 1
    assert products.differences(PRODUCTS) == []
    products.database.execute("DELETE FROM products WHERE id >= 200")
    products.arrive("shop")
    assert products.differences(PRODUCTS) == []


def test_counters_tell_what_was_paid(products):
    before = products.status("shop")
    with products.spent() as spent:
        products.database.execute("INSERT INTO products SELECT n, 'Lamp number ' || n, 'bright', 5, 1, 1 FROM generate_series(200, 219) n")
        products.arrive("shop")
        products.until(lambda: products.status("shop")["embedded_texts"] > before["embedded_texts"], "counters")
    after = products.status("shop")
    assert {name: after[name] - before[name] for name in ("embedded_texts", "embedded_tokens", "embed_requests")} == {
        "embedded_texts": 20, "embedded_tokens": spent["tokens"], "embed_requests": spent["ok"]}
    assert spent["inputs"] == 20 and spent["repeated"] == 0
    products.database.execute("DELETE FROM products WHERE id >= 200")
    products.arrive("shop")


def test_a_truncated_table_leaves_no_point_and_comes_back(products):
    database = products.database
    database.execute("CREATE TEMP TABLE kept AS TABLE products")
    database.execute("TRUNCATE products")
    products.arrive("shop")
    assert products.qdrant.points("products") == {}
    database.execute("BEGIN; INSERT INTO products SELECT * FROM kept; TRUNCATE products; INSERT INTO products SELECT * FROM kept WHERE id < 6; COMMIT")
    products.arrive("shop")
    assert products.differences(PRODUCTS) == [] and len(products.qdrant.points("products")) == 5
    database.execute("INSERT INTO products SELECT * FROM kept WHERE id >= 6")
    products.arrive("shop")
    assert products.differences(PRODUCTS) == []


def test_only_who_may_read_the_table_may_search_it(products):
    database = products.database
    database.execute("DROP ROLE IF EXISTS reader")
    database.execute("CREATE ROLE reader LOGIN")
    try:
        with contextlib.closing(psycopg2.connect(host=database.server.environment["PGHOST"], port=database.server.environment["PGPORT"], user="reader",
                                                 dbname=database.name)) as connection:
            connection.autocommit = True
            database.execute("GRANT USAGE ON SCHEMA autosync TO reader")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                products.search(PRODUCTS, QUERIES[0], connection=connection)
            database.execute("GRANT SELECT (price) ON products TO reader")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                products.search(PRODUCTS, QUERIES[0], connection=connection)
            database.execute("GRANT SELECT (id) ON products TO reader")
            same_ranking(products.search(PRODUCTS, QUERIES[0], 5, connection=connection), products.nearest(PRODUCTS, QUERIES[0], 5))
    finally:
        database.execute("DROP OWNED BY reader")
        database.execute("DROP ROLE reader")


def test_a_search_ends_when_it_is_cancelled(products):
    products.embedder.control(delay_ms=10_000)
    with contextlib.closing(products.database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute("SELECT * FROM autosync.search('products', 'shop', 'a text that nobody has asked for')")


def test_an_estimate_tells_the_cost_before_it_is_paid(products):
    (rows, texts, tokens, duration), = products.database.execute("SELECT rows, texts, tokens, duration FROM autosync.estimate('products', 'shop')")
    exact = sum(len(name) + len(description) + 1 for name, description in GOODS)
    assert rows == texts == len(GOODS)
    assert exact / 8 < tokens < exact and duration >= datetime.timedelta(0)


@pytest.mark.parametrize("kind, values, option", [
    ("int", [0, 1, 7, 2147483647], "auto"), ("bigint", [-5, 12, 9007199254740993], "auto"), ("text", ["a", "Ä/ö \"x\"", "", "42"], "auto"),
    ("uuid", ["0b5dcf62-4f0e-5d4f-9c2e-6c0f5a3a2d11", "ffffffff-ffff-4fff-bfff-ffffffffffff"], "auto"),
    ("uuid", ["0b5dcf62-4f0e-5d4f-9c2e-6c0f5a3a2d11"], "key"), ("int", [3], "uuid"), ("date", ["2024-02-29"], "auto")])
def test_ids_follow_from_keys(scene, kind, values, option):
    database, qdrant = scene.database, scene.qdrant
    table = "ids_%s_%s" % (kind, option)
    database.execute("CREATE TABLE %s (id %s PRIMARY KEY, name text)" % (table, kind))
    for value in values:
        database.execute("INSERT INTO %s VALUES (%%s, 'a word')" % table, value)
    scene.sync(table, embed=["name"], payload=["name"], id=option)
    scene.arrive()
    keys = [key for (key,) in database.execute("SELECT id::text FROM %s" % table)]
    points = qdrant.points(table)
    assert {str(point["payload"]["_key"]) for point in points.values()} == set(keys)
    named = {database.value("SELECT autosync.point_id(%s, %s)", table, key): key for key in keys} if option == "auto" else None
    for point, found in points.items():
        key = found["payload"]["_key"]
        if option == "key" or (option == "auto" and kind in ("int", "bigint") and int(key) >= 0):
            assert str(point) == key
        else:
            assert uuid.UUID(point).version == 5
        if named:
            assert named[str(point)] == key
    database.execute("DELETE FROM %s" % table)
    scene.arrive()
    assert qdrant.points(table) == {}
    database.execute("DROP TABLE %s" % table)


def test_a_composite_key_has_a_point_of_its_own(scene):
    database = scene.database
    database.execute("CREATE TABLE pairs (a int, b text, name text, PRIMARY KEY (a, b))")
    database.execute("INSERT INTO pairs VALUES (1, 'x', 'first'), (1, 'y', 'second'), (2, 'x', 'third')")
    scene.sync("pairs", embed=["name"])
    scene.arrive()
    points = scene.qdrant.points("pairs")
    assert {str(point) for point in points} == {database.value("SELECT autosync.point_id('pairs', %s)", json.dumps({"b": b, "a": a}))
                                                for a, b in ((1, "x"), (1, "y"), (2, "x"))}
    assert {point["payload"]["_key"] for point in points.values()} == {'{"a": 1, "b": "x"}', '{"a": 1, "b": "y"}', '{"a": 2, "b": "x"}'}
    # The default payload is every column.
    assert {(point["payload"]["a"], point["payload"]["b"], point["payload"]["name"]) for point in points.values()} == {
        (1, "x", "first"), (1, "y", "second"), (2, "x", "third")}
    database.execute("UPDATE pairs SET b = 'z' WHERE name = 'first'; DELETE FROM pairs WHERE name = 'third'")
    scene.arrive()
    assert {point["payload"]["_key"] for point in scene.qdrant.points("pairs").values()} == {'{"a": 1, "b": "z"}', '{"a": 1, "b": "y"}'}


def test_payload_follows_the_types(scene):
    database = scene.database
    database.execute("CREATE TABLE kinds (id int PRIMARY KEY, name text, b bool, i bigint, f float8, n numeric(10,2), big numeric, j jsonb, t timestamptz, d date, u uuid,"
                     " raw bytea, l int[], tl text[], nothing text)")
    database.execute("SET timezone = 'Europe/Vienna'; INSERT INTO kinds VALUES (1, 'Ünïcödé \u2603 \"quoted\"', true, -9007199254740993, 0.1, 12.50, 12345678901234567890.5,"
                     " '{\"a\": [1, {\"b\": null}]}', '2024-02-29 13:00+01', '2024-02-29', '0b5dcf62-4f0e-5d4f-9c2e-6c0f5a3a2d11', '\\x00ff', '{1,2}', '{a,\"b c\"}')")
    scene.sync("kinds", embed=["name"])
    scene.arrive()
    point, = scene.qdrant.points("kinds").values()
    payload = {name: value for name, value in point["payload"].items() if not name.startswith("_") and value is not None}
    assert payload == {"id": 1, "name": "Ünïcödé \u2603 \"quoted\"", "b": True, "i": -9007199254740993, "f": 0.1, "n": 12.5, "big": "12345678901234567890.5", "j": {"a": [1, {"b": None}]},
                       "t": payload["t"], "d": "2024-02-29", "u": "0b5dcf62-4f0e-5d4f-9c2e-6c0f5a3a2d11", "raw": "AP8=", "l": [1, 2], "tl": ["a", "b c"]}
    # A moment that Qdrant's datetime index understands: UTC, RFC 3339.
    assert re.fullmatch(r"2024-02-29T12:00:00(\.0+)?(Z|\+00:00)", payload["t"])
    assert point["payload"]["_source"] == "public.kinds" and point["payload"]["_key"] == "1" and point["payload"]["_model"] == MODEL


def test_all_columns_may_be_excluded(scene):
    database = scene.database
    database.execute("CREATE TABLE bare (id int PRIMARY KEY, name text)")
    database.execute("INSERT INTO bare VALUES (1, 'a secret that is only embedded')")
    scene.sync("bare", embed=["name"], exclude=["id", "name"])
    scene.arrive()
    point, = scene.qdrant.points("bare", with_vector=True).values()
    assert {name for name in point["payload"] if not name.startswith("_")} == set()
    assert close(point["vector"], scene.embed(["a secret that is only embedded"])[0])


def test_payload_indexes_are_made(scene):
    database = scene.database
    database.execute("CREATE TABLE indexed (id int PRIMARY KEY, name text, price float8, day timestamptz, tag text)")
    database.execute("INSERT INTO indexed VALUES (1, 'one', 1.5, now(), 'x')")
    scene.sync("indexed", embed=["name"], payload_indexes={"price": "float", "day": "datetime", "tag": "keyword"})
    scene.arrive()
    schema = scene.qdrant.result("GET", "/collections/indexed")["payload_schema"]
    assert {name: index["data_type"] for name, index in schema.items()}.items() >= {"price": "float", "day": "datetime", "tag": "keyword", "_source": "keyword"}.items()
    found = scene.qdrant.points("indexed", {"must": [{"key": "day", "range": {"gt": "2020-01-01T00:00:00Z"}}, {"key": "price", "range": {"lt": 2}}]})
    assert set(found) == {1}


TEXTS = Declared("texts", ["title", "body"], ["title"])


def test_rows_without_text_have_no_point(scene):
    database = scene.database
    database.execute("CREATE TABLE texts (id int PRIMARY KEY, title text, body text)")
    scripts = ["日本語のテキスト", "Ελληνικά και العربية", "emoji 🧣❄️ and \u200b invisible", "tab\tnewline\n\"quote\" \\ \u0001 control", "ß" * 300, "한국어", "हिन्दी", "x"]
    for number, text in enumerate(scripts, 10):
        database.execute("INSERT INTO texts VALUES (%s, %s, NULL)", number, text)
    database.execute("INSERT INTO texts VALUES (1, NULL, NULL), (2, '', ''), (3, NULL, 'only a body'), (4, '', 'a body'), (5, 'both', 'of them')")
    scene.sync("texts", embed=["title", "body"], payload=["title"])
    scene.arrive()
    assert scene.differences(TEXTS) == []
    assert set(scene.qdrant.points("texts")) == {3, 4, 5, *range(10, 10 + len(scripts))}
    database.execute("UPDATE texts SET title = NULL, body = '' WHERE id IN (5, 11); UPDATE texts SET body = 'now there is one' WHERE id = 1")
    scene.arrive()
    assert scene.differences(TEXTS) == []
    assert {1, 3, 4} <= set(scene.qdrant.points("texts")) and not {5, 11} & set(scene.qdrant.points("texts"))


def test_megabytes_of_text_are_parked_or_cut(scene):
    database = scene.database
    for name, overflow in (("parked", "error"), ("cut", "truncate")):
        database.execute("CREATE TABLE %s (id int PRIMARY KEY, body text)" % name)
        database.execute("INSERT INTO %s VALUES (1, 'a short one'), (2, '%s ' || repeat('snow and ice ', 80000)), (3, 'another short one')" % (name, name))
        scene.sync(name, embed=["body"], payload=["id"], overflow=overflow)
    # With a dead letter this says false at once.
    assert database.value("SELECT autosync.wait_delivered('vectors', '60s')") is False
    scene.until(lambda: set(scene.qdrant.points("parked")) == {1, 3} and set(scene.qdrant.points("cut")) == {1, 2, 3}, "all the others", 60)
    letters = scene.letters("parked")
    assert set(letters) == {"2"} and "token" in letters["2"]["last_error"].lower()
    assert scene.letters("cut") == {}
    cut = scene.qdrant.points("cut", with_vector=True)[2]["vector"]
    start, = scene.embed(["cut " + "snow and ice " * 1000])  # more than the model reads
    assert close(cut, start)
    scene.wait_for_state("active")
    with scene.spent() as spent:
        database.execute("SELECT autosync.backfill('cut', 'vectors')")
        scene.until(lambda: not database.execute("SELECT FROM autosync.stat_progress"), "the backfill")
    assert spent["inputs"] == 0
    database.execute("DROP TABLE parked, cut")
    database.execute("SELECT autosync.discard('vectors')")
    scene.arrive()


def test_rows_that_enter_the_filter_late_are_embedded_once(scene):
    database = scene.database
    database.execute("CREATE TABLE drafts (id int PRIMARY KEY, body text, ready bool)")
    database.execute("INSERT INTO drafts SELECT n, 'draft about subject ' || n, n % 2 = 0 FROM generate_series(1, 20) n")
    drafts = Declared("drafts", ["body"], ["body"], condition=lambda row: row["ready"])
    # With dimensions nobody has to ask the embedder for them.
    scene.sync("drafts", backfill=False, embed=["body"], payload=["body"], filter="ready", dimensions=384)
    with scene.spent() as spent:
        database.execute("SELECT autosync.backfill('drafts', 'vectors')")
        scene.arrive()
        assert len(scene.qdrant.points("drafts")) == 10
        database.execute("UPDATE drafts SET ready = true")
        scene.arrive()
    assert spent["inputs"] == 20 and spent["repeated"] == 0
    assert scene.differences(drafts) == []
    database.execute("UPDATE drafts SET ready = false WHERE id < 5")
    scene.arrive()
    assert scene.differences(drafts) == []
    # Those that left not long ago are remembered.
    with scene.spent() as spent:
        database.execute("UPDATE drafts SET ready = true")
        scene.arrive()
    assert spent["inputs"] <= 4 and scene.differences(drafts) == []


def test_an_embedding_outlives_a_failed_write(scene):
    database = scene.database
    database.execute("CREATE TABLE firm (id int PRIMARY KEY, body text)")
    firm = Declared("firm", ["body"], ["id", "body"])
    scene.sync("firm", embed=["body"])
    scene.arrive()
    for start, fault in enumerate(({"status": 503}, {"drop": True}, {"status": 500, "after": True}, {"result": "wait_timeout"})):
        start *= 10
        with scene.spent() as spent:
            scene.qdrant.fault(count=3, match="/points/batch", **fault)
            database.execute("INSERT INTO firm SELECT n, 'sentence number ' || n FROM generate_series(%s, %s) n", start, start + 9)
            scene.arrive()
        assert spent["inputs"] == 10 and spent["repeated"] == 0, fault
    assert scene.differences(firm) == []


def test_vectors_that_the_table_holds_need_no_embedder(scene):
    database = scene.database
    scene.target("given", adopt=False, embed_url=None, model=None, dimensions=3, distance="Euclid")
    database.execute("CREATE TABLE measured (id int PRIMARY KEY, wide float8[], narrow real[], written text, name text)")
    database.execute("INSERT INTO measured VALUES (1, '{1,2,3}', '{1.5,2.5,3.5}', '[1,2,3]', 'a'), (2, '{1e-3,-2,0}', '{0,0,1}', '[ 1e-3, -2.5, 0 ]', 'b'),"
                     " (3, NULL, NULL, NULL, 'no vector'), (4, '{1,2}', '{1,2}', '[1,2]', 'too short')")
    for column, expected in (("wide", [0.001, -2, 0]), ("narrow", [0, 0, 1]), ("written", [0.001, -2.5, 0])):
        with scene.spent() as spent:
            scene.sync("measured", "given", vector=column, payload=["name"], collection="measured_" + column)
            scene.until(lambda: "4" in scene.letters("measured"), "the row that is too short")
            scene.until(lambda: set(scene.qdrant.points("measured_" + column)) == {1, 2}, "the others")
        points = scene.qdrant.points("measured_" + column, with_vector=True)
        assert points[2]["vector"] == pytest.approx(expected) and points[2]["payload"]["name"] == "b" and "_model" not in points[2]["payload"]
        assert spent["requests"] == 0
        database.execute("SELECT autosync.drop_sync('measured', 'given', purge => true)")
        scene.until(lambda: scene.qdrant.points("measured_" + column) == {}, "the purge")
    scene.sync("measured", "given", vector="wide", payload=["name"], collection="measured_wide")
    database.execute("UPDATE measured SET wide = '{4,5,6}' WHERE id IN (3, 4); UPDATE measured SET wide = NULL WHERE id = 1")
    scene.until(lambda: set(scene.qdrant.points("measured_wide")) == {2, 3, 4}, "the mended rows")
    assert scene.qdrant.points("measured_wide", with_vector=True)[4]["vector"] == [4, 5, 6]


def test_named_vectors_are_embedded_one_by_one(scene):
    database = scene.database
    database.execute("CREATE TABLE articles (id int PRIMARY KEY, title text, body text, price int)")
    database.execute("INSERT INTO articles VALUES (1, 'snow', 'falls in winter', 1), (2, 'sun', NULL, 2), (3, NULL, 'rain falls', 3), (4, NULL, NULL, 4)")
    articles = Declared("articles", {"title": ["title"], "content": ["body"]}, ["price"])
    scene.sync("articles", embed={"title": ["title"], "content": ["body"]}, payload=["price"])
    scene.arrive()
    assert scene.differences(articles) == [] and set(scene.qdrant.points("articles")) == {1, 2, 3}
    with scene.spent() as spent:
        database.execute("UPDATE articles SET body = 'melts in spring', price = 11 WHERE id = 1; UPDATE articles SET price = 12 WHERE id = 2")
        scene.arrive()
    assert spent["inputs"] == 1
    assert scene.differences(articles) == []
    database.execute("UPDATE articles SET title = NULL WHERE id = 1; UPDATE articles SET title = NULL WHERE id = 2; UPDATE articles SET title = 'new' WHERE id = 4")
    scene.arrive()
    assert scene.differences(articles) == [] and set(scene.qdrant.points("articles")) == {1, 3, 4}


def test_an_expression_can_make_the_text(scene):
    database = scene.database
    database.execute("CREATE TABLE people (id int PRIMARY KEY, first text, last text, secret text)")
    database.execute("INSERT INTO people VALUES (1, 'Hedy', 'Lamarr', 's'), (2, 'Ada', NULL, 's')")
    scene.sync("people", embed_expression="first || ' ' || last", payload=["first"])
    scene.arrive()
    points = scene.qdrant.points("people", with_vector=True)
    assert set(points) == {1} and close(points[1]["vector"], scene.embed(["Hedy Lamarr"])[0])
    assert "secret" not in points[1]["payload"]


def test_a_shared_embedder_serves_several_targets(scene):
    database = scene.database
    scene.create_server("provider", "openai", {"url": scene.embedder.url + "/", "model": MODEL, "max_inputs": 8})
    scene.map_user("provider", {"api_key": scene.embedder.key})
    database.execute("CREATE TABLE shared (id int PRIMARY KEY, body text)")
    database.execute("INSERT INTO shared SELECT n, 'shared text ' || n FROM generate_series(1, 30) n")
    for name in ("first", "second"):
        scene.target(name, adopt=False, embed_url=None, model=MODEL, embedder="provider")
        scene.sync("shared", name, embed=["body"], collection="shared_" + name)
    scene.arrive("first")
    scene.arrive("second")
    for name in ("first", "second"):
        assert scene.differences(Declared("shared", ["body"], ["id", "body"], collection="shared_" + name)) == []
    error = refusal(database, "DROP SERVER provider")
    assert error.pgcode == "2BP01"
    error = refusal(database, "SELECT autosync.add_sync('shared', 'provider')")
    assert error.diag.message_hint
    database.execute("SELECT autosync.drop_sync('shared', 'first', purge => true)")
    scene.until(lambda: scene.qdrant.points("shared_first") == {}, "the purge")
    assert len(scene.qdrant.points("shared_second")) == 30
    database.execute("DROP TABLE shared; DROP SERVER first CASCADE; DROP SERVER second CASCADE; DROP SERVER provider CASCADE")


def test_several_tables_share_a_collection(scene):
    database = scene.database
    for name in ("left_side", "right_side"):
        database.execute("CREATE TABLE %s (id int PRIMARY KEY, body text)" % name)
        database.execute("INSERT INTO %s SELECT n, '%s ' || n FROM generate_series(1, 5) n" % (name, name))
        scene.sync(name, embed=["body"], payload=["body"], id="uuid", collection="both_sides")
    scene.arrive()
    declared = [Declared(name, ["body"], ["body"], collection="both_sides") for name in ("left_side", "right_side")]
    assert [scene.differences(one) for one in declared] == [[], []] and len(scene.qdrant.points("both_sides")) == 10
    assert len(scene.search(declared[0], "left", 20)) == 5
    database.execute("TRUNCATE left_side")
    scene.arrive()
    assert len(scene.qdrant.points("both_sides")) == 5 and scene.differences(declared[1]) == []


@pytest.mark.parametrize("options, column", [
    ({}, None), ({"embed": ["nothing"]}, None), ({"embed": ["name"], "vector": "numbers"}, None), ({"vector": "name_id"}, None),
    ({"embed": ["name"], "payload": ["nothing"]}, None), ({"embed": ["name"], "id": "key"}, None), ({"embed": ["name"], "overflow": "maybe"}, None),
    ({"embed": ["name"], "payload_indexes": {"name": "sound"}}, None), ({"embed": ["name"], "collection": "claimed"}, "claimed")])
def test_what_makes_no_sense_fails_when_it_is_declared(scene, options, column):
    database = scene.database
    database.execute("CREATE TABLE IF NOT EXISTS senseless (id int PRIMARY KEY, name text, numbers float8[], name_id int)")
    if column and not database.execute("SELECT FROM pg_tables WHERE tablename = 'claimer'"):
        database.execute("CREATE TABLE claimer (id int PRIMARY KEY, name text)")
        scene.sync("claimer", embed=["name"], collection=column)
    error = refusal(database, "SELECT autosync.add_sync('senseless', 'vectors', %s)", json.dumps(options))
    assert error.pgcode and error.pgcode != "XX000" and error.diag.message_primary


def test_rebuild_fills_a_new_collection_while_the_old_one_is_searched(scene):
    database, qdrant = scene.database, scene.qdrant
    database.execute("CREATE TABLE growing (id int PRIMARY KEY, body text)")
    database.execute("INSERT INTO growing SELECT n, 'entry ' || n || ' about ' || (ARRAY['snow', 'sun', 'rain', 'wind'])[1 + n % 4] FROM generate_series(1, 300) n")
    growing = Declared("growing", ["body"], ["id", "body"])
    scene.sync("growing", embed=["body"])
    scene.arrive()
    assert scene.differences(growing) == []

    def collection():
        """What the alias stands for."""
        return next(alias["collection_name"] for alias in qdrant.result("GET", "/aliases")["aliases"] if alias["alias_name"] == "growing")
    old = collection()

    # Another model: nothing is mixed, somebody is told what to do.
    database.execute("SELECT autosync.alter_sync('growing', 'vectors', %s)", json.dumps({"model": "text-embedding-3-small"}))
    database.execute("UPDATE growing SET body = body || ' and more' WHERE id <= 10")
    said = scene.until(lambda: [row for (row,) in database.execute("SELECT row_to_json(h)::text FROM autosync.health() h") if "rebuild" in row]
                       or [error for error in [scene.status()["last_error"]] if error and "model" in error], "a word about the other model")
    assert "all-MiniLM-L6-v2" in said[0] and "text-embedding-3-small" in said[0]
    assert {point["payload"]["_model"] for point in qdrant.points("growing").values()} == {MODEL}

    failures, sizes, stop = [], [], threading.Event()

    def look():
        with contextlib.closing(database.connect()) as connection:
            while not stop.is_set():
                try:
                    sizes.append(len(scene.search(growing, "the weather", 300, connection=connection)))
                except psycopg2.Error as error:
                    failures.append(error)
    searching = threading.Thread(target=look)
    searching.start()
    try:
        database.execute("SELECT autosync.rebuild('growing', 'vectors')")
        for first in range(250, 300, 10):
            database.execute("UPDATE growing SET body = 'changed while it is rebuilt ' || id WHERE id BETWEEN %s AND %s", first, first + 9)
        database.execute("DELETE FROM growing WHERE id BETWEEN 20 AND 29")
        scene.until(lambda: collection() != old, "the switch", 60)
        scene.arrive()
    finally:
        stop.set()
        searching.join()
    assert failures == [] and sizes and min(sizes) >= 280, (failures[:1], sizes)
    assert scene.differences(growing, "text-embedding-3-small") == []
    scene.until(lambda: old not in [collection["name"] for collection in qdrant.result("GET", "/collections")["collections"]], "the old collection's end")
    same_ranking(scene.search(growing, "rain", 5), scene.nearest(growing, "rain", 5, "text-embedding-3-small"))


def test_a_day_has_so_many_tokens_and_no_more(scene):
    database = scene.database
    database.execute("CREATE TABLE thrifty (id int PRIMARY KEY, body text, price int)")
    scene.sync("thrifty", embed=["body"], payload=["price"], max_tokens_per_day=200)
    scene.arrive()
    database.execute("INSERT INTO thrifty SELECT n, 'a text of about ten words so that some of them fit: ' || n, 0 FROM generate_series(1, 20) n")
    scene.until(lambda: len(scene.qdrant.points("thrifty")) == 20, "those that fit")
    database.execute("INSERT INTO thrifty SELECT n, 'a text of about ten words and these do not fit: ' || n, 0 FROM generate_series(21, 60) n")
    said = scene.until(lambda: [row for (row,) in database.execute("SELECT row_to_json(h)::text FROM autosync.health() h") if "max_tokens_per_day" in row],
                       "a word about it")
    assert "thrifty" in said[0]
    assert len(scene.qdrant.points("thrifty")) == 20 and scene.letters("thrifty") == {}
    # More is allowed: nothing was dropped.
    database.execute("SELECT autosync.alter_sync('thrifty', 'vectors', %s)", json.dumps({"max_tokens_per_day": 100000}))
    scene.until(lambda: len(scene.qdrant.points("thrifty")) == 60, "the others")
    assert scene.differences(Declared("thrifty", ["body"], ["price"])) == []


def test_the_options_of_a_row_hold_for_points_as_well(scene):
    """What a transform gives is the payload; the text is embedded as the columns have it. Which rows, until when, what of them and what events tell: as for any other kind."""
    database = scene.database
    database.execute("""CREATE TABLE cards (id int PRIMARY KEY, name text, draft bool, gone timestamptz, legal bool DEFAULT false, lock int DEFAULT 7);
        CREATE TABLE stamps (id int PRIMARY KEY, card int);
        CREATE FUNCTION card(c cards) RETURNS jsonb LANGUAGE sql STABLE RETURN jsonb_build_object('title', upper(c.name), 'stamps', (SELECT count(*) FROM public.stamps WHERE card = c.id));
        SELECT autosync.add_sync('cards', 'shop', '{"embed": "name", "transform": "card", "filter": "NOT draft", "soft_delete": "gone", "on_delete": "NOT legal", "entity_type": "card",
            "version": "lock", "capture": "row", "refresh_on": {"stamps": "card"}, "debounce": "20ms", "lane": "cards", "operations": "insert,update,delete"}');
        INSERT INTO cards (id, name, draft) VALUES (1, 'red', false), (2, 'green', true), (3, 'blue', false), (4, 'white', false); UPDATE cards SET legal = true WHERE id = 4""")
    scene.arrive("shop")
    held = lambda: {id: {name: value for name, value in point["payload"].items() if not name.startswith("_")} for id, point in scene.qdrant.points("cards").items()}
    assert held() == {id: {"title": title, "stamps": 0} for id, title in ((1, "RED"), (3, "BLUE"), (4, "WHITE"))}
    assert [key for key, _ in database.execute("SELECT key, score FROM autosync.search('cards', 'shop', 'blue', 1)")] == ["3"]
    database.execute("INSERT INTO stamps VALUES (1, 1); UPDATE cards SET draft = id = 3 WHERE id IN (2, 3); DELETE FROM cards WHERE id = 4; UPDATE cards SET lock = 8 WHERE id = 2")
    scene.arrive("shop")
    assert held() == {1: {"title": "RED", "stamps": 1}, 2: {"title": "GREEN", "stamps": 0}, 4: {"title": "WHITE", "stamps": 0}}, "filtered out, and one that is kept by law"
    database.execute("UPDATE cards SET gone = now() WHERE id = 1")
    scene.arrive("shop")
    assert held().keys() == {2, 4}
    told = database.execute("SELECT DISTINCT entity_type, payload ->> 'name', source_version FROM autosync.event_log WHERE source = 'public.cards' AND operation = 'insert' AND entity_id = '2'")
    assert told == [("card", "green", 7)]
    database.execute("TRUNCATE cards")
    scene.arrive("shop")
    assert held().keys() == {2, 4}, "TRUNCATE is not among the operations"
    database.execute("SELECT autosync.drop_sync('cards', 'shop', purge => true)")
