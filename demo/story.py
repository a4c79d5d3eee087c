"""The demo's story, told to a terminal: each SQL statement, its result, and what the other side holds, with the time from commit to arrival."""
import json
import os
import sys
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
from neo4j_client import Neo4j, table
from rest import ask

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 60  # seconds
MODEL = "all-MiniLM-L6-v2"


def say(text):
    print("\n" + ("\033[1m%s\033[0m" % text if sys.stdout.isatty() else text), flush=True)


class Shop:
    def __init__(self):
        self.connection = psycopg2.connect(dbname="shop")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.committed = time.monotonic()

    def run(self, statement, show=None, expanded=False):
        """Runs and shows a statement; `show` replaces the text of one that carries a secret."""
        print("\nshop=# " + (show or statement).replace("\n", "\n       "), flush=True)
        self.cursor.execute(statement)
        self.committed = time.monotonic()
        if self.cursor.description is None:
            print(self.cursor.statusmessage)
            return None
        columns = [column.name for column in self.cursor.description]
        rows = self.cursor.fetchall()
        if expanded:
            width = max(map(len, columns))
            for row in rows:
                print("\n".join(" %s | %s" % (name.ljust(width), "" if value is None else value) for name, value in zip(columns, row)))
        else:
            print(table(columns, rows))
        return rows

    def value(self, query):
        self.cursor.execute(query)
        return self.cursor.fetchone()[0]


def wait_for(question, expected):
    """Asks until the answer is as expected; how long after that became so, or ends the demo."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = question()
        if answer == expected:
            return time.monotonic()
        if time.monotonic() > deadline:
            sys.exit("demo: after %d s the answer is still %r instead of %r" % (PATIENCE, answer, expected))
        time.sleep(0.001)


class Graph:
    def __init__(self, shop):
        self.shop = shop
        self.neo4j = Neo4j.from_environment()

    def change(self, statement, query, expected):
        """Runs the statement, then shows how the graph follows. The query is asked once before, so that its planning is not measured."""
        self.neo4j.rows(query)
        self.shop.run(statement)
        self.shows(query, expected)

    def shows(self, query, expected, timed=True):
        """Waits until the graph answers as expected, and shows that answer."""
        arrived = wait_for(lambda: self.neo4j.rows(query), expected)
        print("\nneo4j> " + query)
        print(table(*self.neo4j.run(query)))
        if timed:
            print("       … %.0f ms after the commit" % ((arrived - self.shop.committed) * 1000), flush=True)


class Vectors:
    """The shop's products in Qdrant, asked through its own API."""

    def __init__(self, shop, wanted):
        self.shop = shop
        self.url, self.key = os.environ["QDRANT_URL"], os.environ["QDRANT_API_KEY"]
        self.embed_url, self.embed_key = os.environ["EMBED_URL"], os.environ["EMBED_API_KEY"]
        self.wanted = wanted
        answer = ask("POST", self.embed_url + "/embeddings", {"model": MODEL, "input": [wanted]}, {"Authorization": "Bearer " + self.embed_key})
        self.question = answer["data"][0]["embedding"]

    def nearest(self, limit=5):
        found = ask("POST", self.url + "/collections/products/points/query", {"query": self.question, "limit": limit, "with_payload": ["name", "price"]},
                    {"api-key": self.key})["result"]["points"]
        return [[point["payload"]["name"], point["payload"]["price"], round(point["score"], 3)] for point in found]

    def shows(self, expected, timed=True):
        """Waits until the answer satisfies, and shows it."""
        arrived = wait_for(lambda: expected([name for name, _, _ in self.nearest()]), True)
        print('\nqdrant> POST /collections/products/points/query {"query": [%.3f, %.3f, … what the model makes of "%s"], "limit": 5}'
              % (*self.question[:2], self.wanted))
        print(table(["name", "price", "score"], self.nearest()))
        if timed:
            print("       … %.0f ms after the commit" % ((arrived - self.shop.committed) * 1000), flush=True)

    def change(self, statement, expected):
        self.shop.run(statement)
        self.shows(expected)


class Repositories:
    """What a PDS holds, asked as anybody can."""

    def __init__(self, shop):
        self.shop = shop
        self.url = os.environ["PDS_URL"]
        with open(os.environ["PDS_ACCOUNTS_FILE"], encoding="utf-8") as file:
            self.accounts = json.load(file)["accounts"]

    def records(self, account):
        answer = ask("GET", "%s/xrpc/com.atproto.repo.listRecords?repo=%s&collection=app.bsky.feed.post" % (self.url, account["did"]))
        return sorted([record["value"]["text"], record["uri"].split("/", 2)[2], record["cid"]] for record in answer["records"])

    def shows(self, account, texts):
        """Waits until the repository holds these posts, and shows them."""
        arrived = wait_for(lambda: [text for text, _, _ in self.records(account)], texts)
        print("\npds> GET /xrpc/com.atproto.repo.listRecords?repo=%s&collection=app.bsky.feed.post" % account["handle"])
        print(table(["text", "record", "cid"], self.records(account)))
        print("       … %.0f ms after the commit" % ((arrived - self.shop.committed) * 1000), flush=True)

    def change(self, statement, account, texts):
        self.shop.run(statement)
        self.shows(account, texts)

    def sign_in(self, account):
        call = "SELECT autosync.atp_login('%s', '%s', 'social')"
        self.shop.run(call % (account["handle"], account["password"]), show=call % (account["handle"], "…"))


def act_one(shop):
    say("Act one: what would be sent? A small shop, and a target that lives in PostgreSQL itself")
    print("\nshop=# \\i demo/shop.sql")
    with open(os.path.join(HERE, "shop.sql"), encoding="utf-8") as script:
        shop.cursor.execute(script.read())
    shop.run("SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM order_lines) AS order_lines,\n"
             "  (SELECT count(*) FROM products) AS products, (SELECT count(*) FROM categories) AS categories, (SELECT count(*) FROM product_tags) AS product_tags")
    shop.run("CREATE EXTENSION autosync")
    shop.run("CREATE SERVER trial FOREIGN DATA WRAPPER autosync_test")
    shop.run("SELECT autosync.adopt_database()")
    shop.run("""SELECT autosync.add_sync('categories', 'trial', '{"exclude": ["parent_id"]}', backfill => false)""")
    say("From now on every commit counts, and nothing but commits")
    shop.run("INSERT INTO categories VALUES (6, 'Maps', 2)")
    shop.run("UPDATE categories SET name = 'Maps and globes' WHERE id = 6")
    shop.run("BEGIN; DELETE FROM categories WHERE id = 6; ROLLBACK")
    shop.run("INSERT INTO categories VALUES (7, 'Mistakes', 1)")
    shop.run("DELETE FROM categories WHERE id = 7")
    committed = shop.committed
    arrived = wait_for(lambda: shop.value("SELECT autosync.wait_delivered('trial', '10s')"), True)
    print("       … all delivered %.0f ms after the last commit" % ((arrived - committed) * 1000))
    shop.run("SELECT sent_id, source, key, operation, document, sent_at FROM autosync.sent ORDER BY sent_id")
    shop.run("SELECT autosync.drop_sync('categories', 'trial')")


def act_two(shop):
    say("Act two: the whole shop lives in Neo4j, by itself")
    graph = Graph(shop)
    options = '{"username": "%s", "password": "%s"}'
    call = "SELECT autosync.add_target('graph', '%s', '%s')"
    shop.run(call % (graph.neo4j.url, options % (graph.neo4j.user, graph.neo4j.password)), show=call % (graph.neo4j.url, options % ("neo4j", "…")))
    shop.run("SELECT * FROM autosync.check_target('graph')")
    say("What it makes of the tables: labels, and relationships from the foreign keys; product_tags is one itself")
    shop.run("SELECT source, label, (SELECT string_agg(r->>'type', ', ') FROM jsonb_array_elements(relationships) AS r) AS relationships\n"
             "  FROM autosync.add_schema('public', 'graph')")
    started = shop.committed
    say("The rows that exist already are on their way")
    query = "SELECT source, done, total, percent, rate, eta FROM autosync.stat_progress"
    print("\nshop=# " + query + "    -- again and again")
    shown = None
    while not shop.value("SELECT autosync.wait_delivered('graph', '100ms')"):
        shop.cursor.execute(query + " ORDER BY done DESC, total DESC NULLS LAST")
        rows = shop.cursor.fetchall()
        if rows and rows[0] != shown:
            shown = rows[0]
            print(" %-20s %5s of about %s, %d tables to go" % (shown[0], shown[1], shown[2] or "?", len(rows)), flush=True)
        if time.monotonic() - started > 300:
            sys.exit("demo: the backfill has not ended after 300 s")
    print("       … all there after %.1f s" % (time.monotonic() - started))
    graph.shows("MATCH (n) UNWIND labels(n) AS label WITH label WHERE NOT label STARTS WITH '_' RETURN label, count(*) AS nodes ORDER BY label",
                [["categories", 6], ["customers", 500], ["order_lines", 6000], ["orders", 2000], ["products", 200], ["tags", 3]], timed=False)

    say("Insert")
    graph.change("INSERT INTO customers VALUES (1001, 'Hedy Lamarr', 'hedy@example.org', 'Vienna', '2024-11-09')",
                 "MATCH (c:customers {id: 1001}) RETURN c.name, c.city, c.joined", [["Hedy Lamarr", "Vienna", "2024-11-09"]])
    graph.change("INSERT INTO orders VALUES (9001, 1001, '2024-11-21 10:00+00', 'wrap it')",
                 "MATCH (o:orders)-[:CUSTOMER]->(c:customers {id: 1001}) RETURN o.id, o.note, c.name", [[9001, "wrap it", "Hedy Lamarr"]])
    say("Update")
    graph.change("UPDATE customers SET city = 'Los Angeles' WHERE id = 1001",
                 "MATCH (c:customers {id: 1001}) RETURN c.name, c.city", [["Hedy Lamarr", "Los Angeles"]])
    say("Move of a foreign key: the order was somebody else's")
    graph.change("UPDATE orders SET customer_id = 1 WHERE id = 9001",
                 "MATCH (o:orders {id: 9001})-[:CUSTOMER]->(c:customers) RETURN o.id, c.id", [[9001, 1]])
    say("Key change: the old node goes, the new one comes, and what points at it follows")
    before = shop.value("SELECT count(*) FROM product_tags WHERE tag = 'gift'")
    graph.change("UPDATE tags SET tag = 'present' WHERE tag = 'gift'",
                 "MATCH (t:tags) OPTIONAL MATCH (:products)-[r:PRODUCT_TAGS]->(t) WITH t, count(r) AS products WHERE t.tag IN ['gift', 'present'] RETURN t.tag, products",
                 [["present", before]])
    say("Delete")
    graph.change("DELETE FROM orders WHERE id = 9001",
                 "MATCH (o:orders {id: 9001}) RETURN count(o) AS orders", [[0]])
    say("Truncate")
    graph.change("TRUNCATE product_tags",
                 "MATCH (:products)-[r:PRODUCT_TAGS]->(:tags) RETURN count(r) AS tagged", [[0]])
    say("Rollback: what never happened never arrives")
    shop.run("BEGIN; UPDATE customers SET name = 'Nobody' WHERE id = 1001; ROLLBACK")
    shop.run("SELECT autosync.wait_delivered('graph')")
    graph.shows("MATCH (c:customers {id: 1001}) RETURN c.name", [["Hedy Lamarr"]], timed=False)

    say("How it is doing: this view is the first place to look, also at three in the morning")
    shop.run("SELECT * FROM autosync.stat_targets WHERE target = 'graph'", expanded=True)


def act_three(shop):
    wanted = "something warm for winter"
    say("Act three: the shop's products are found by what they mean")
    vectors = Vectors(shop, wanted)
    address = vectors.url.replace("http://", "qdrant://")
    options = '{"api_key": "%s", "embed_url": "%s", "embed_api_key": "%s", "model": "%s"}'
    call = "SELECT autosync.add_target('vectors', '%s',\n  '%s')"
    shop.run(call % (address, options % (vectors.key, vectors.embed_url, vectors.embed_key, MODEL)),
             show=call % (address, options % ("…", vectors.embed_url, "…", MODEL)))
    shop.run("""SELECT autosync.add_sync('products', 'vectors',\n  '{"embed": ["name", "description"], "payload": ["name", "price", "category_id"]}')""")
    shop.run("SELECT * FROM autosync.estimate('products', 'vectors')")
    started = shop.committed
    wait_for(lambda: shop.value("SELECT autosync.wait_delivered('vectors', '1s')"), True)
    print("       … 200 products embedded and stored after %.1f s" % (time.monotonic() - started))
    say("A search from SQL: the question is embedded by the same model")
    search = ("SELECT p.id, p.name, p.description, round(s.score::numeric, 3) AS score\n  FROM autosync.search('products', 'vectors', '%s', 5) AS s"
              " JOIN products AS p ON p.id = s.key::int ORDER BY s.score DESC")
    shop.run(search % wanted)
    shop.run(search % "a tool to build a shed")
    say("The same through Qdrant's own API")
    vectors.shows(lambda names: len(names) == 5, timed=False)
    say("Insert: a new product takes its place")
    vectors.change("INSERT INTO products VALUES (201, 'Fur coat', 99, 1, 'the warmest thing for winter')", lambda names: names[0] == "Fur coat")
    say("Update: another text, another rank")
    vectors.change("UPDATE products SET name = 'Garden hose', description = 'twenty metres' WHERE id = 201", lambda names: "Fur coat" not in names)
    say("Back again, then deleted")
    vectors.change("UPDATE products SET name = 'Fur coat', description = 'the warmest thing for winter' WHERE id = 201", lambda names: names[0] == "Fur coat")
    vectors.change("DELETE FROM products WHERE id = 201", lambda names: "Fur coat" not in names)
    say("Prices change, texts do not: nothing is embedded again")
    counters = "SELECT embedded_texts, embedded_tokens, embed_requests, embed_skipped FROM autosync.stat_targets WHERE target = 'vectors'"
    shop.run(counters)
    shop.run("UPDATE products SET price = price + 1")
    committed = shop.committed
    arrived = wait_for(lambda: shop.value("SELECT autosync.wait_delivered('vectors', '10s')"), True)
    print("       … all delivered %.0f ms after the commit" % ((arrived - committed) * 1000))
    shop.run(counters)


def act_four(shop):
    say("Act four: posts publish themselves, each in the repository of its author, on the network of the AT Protocol")
    network = Repositories(shop)
    ada, grace = network.accounts[:2]
    shop.run("SELECT autosync.add_target('social', '%s')" % network.url.replace("http://", "atproto://"))
    network.sign_in(ada)
    shop.run("CREATE TABLE users (id int PRIMARY KEY, name text, did text);\nINSERT INTO users VALUES (1, 'Ada', '%s'), (2, 'Grace', '%s')" % (ada["did"], grace["did"]))
    shop.run("CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users, body text, status text DEFAULT 'published',\n"
             "  created_at timestamptz DEFAULT now(), uri text, cid text)")
    shop.run("""SELECT autosync.add_sync('posts', 'social', '{"collection": "app.bsky.feed.post", "record": {"body": "text", "created_at": "createdAt"},
  "filter": "status = ''published''", "uri_column": "uri", "cid_column": "cid"}')""")
    network.change("INSERT INTO posts VALUES (1, 1, 'Hello, network', 'published'), (2, 1, 'Not yet', 'draft')", ada, ["Hello, network"])
    say("The row knows where its record is")
    wait_for(lambda: shop.value("SELECT uri IS NOT NULL FROM posts WHERE id = 1"), True)
    shop.run("SELECT id, status, uri, left(cid, 20) || '…' AS cid FROM posts ORDER BY id")
    say("Edit: the same record, another content. Publish the draft")
    network.change("UPDATE posts SET body = 'Hello, world' WHERE id = 1", ada, ["Hello, world"])
    network.change("UPDATE posts SET status = 'published' WHERE id = 2", ada, ["Hello, world", "Not yet"])
    say("Grace has not signed in: what is hers waits, and nobody else's does")
    shop.run("INSERT INTO posts VALUES (3, 2, 'Nanoseconds'), (4, 1, 'Meanwhile')")
    network.shows(ada, ["Hello, world", "Meanwhile", "Not yet"])
    wait_for(lambda: shop.value("SELECT count(*) FROM autosync.pending_syncs"), 1)
    shop.run("SELECT source, key, operation, expires_at, last_error FROM autosync.pending_syncs")
    network.sign_in(grace)
    network.shows(grace, ["Nanoseconds"])
    say("Another author: the record moves. Unpublish by the filter, and delete")
    network.change("UPDATE posts SET user_id = 2 WHERE id = 4", grace, ["Meanwhile", "Nanoseconds"])
    network.change("UPDATE posts SET status = 'draft' WHERE id = 2", ada, ["Hello, world"])
    network.change("DELETE FROM posts WHERE id = 1", ada, [])
    shop.run("SELECT key, uri, published_at FROM autosync.atp_records ORDER BY key")
    shop.run("SELECT handle, kind, status, expires_at, pending FROM autosync.atp_sessions ORDER BY handle")
    say("And how is everything doing? With \\watch, psql keeps this on the screen")
    shop.run("SELECT target, state, pending, lag, throughput, delivered FROM autosync.stat_glance")


if __name__ == "__main__":
    {"one": act_one, "two": act_two, "three": act_three, "four": act_four}[sys.argv[1]](Shop())
