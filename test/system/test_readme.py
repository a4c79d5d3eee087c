"""What the README shows is what a reader gets: its SQL is run as it is written there, with this machine's addresses and passwords in place of its own."""
import contextlib
import os
import pathlib
import re

import pytest

from conftest import ROOT, Database

TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers);
CREATE TABLE products (id int PRIMARY KEY, name text, description text, price numeric(10, 2), category_id int);
INSERT INTO customers VALUES (1, 'Ada');
INSERT INTO orders VALUES (7, 1);
INSERT INTO products VALUES (1, 'Scarf', 'woollen, for cold days', 20, 1), (2, 'Sun hat', 'straw, for hot days at the beach', 15, 1), (3, 'Spade', 'for digging', 30, 2)
"""


def blocks():
    """The README's SQL: a list of statements for each block."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sql\n(.*?)^```", text, re.S | re.M)
    return [[statement.strip() for statement in re.sub(r"--.*", "", block).split(";") if statement.strip()] for block in found]


@pytest.fixture(scope="module")
def secrets(server):
    """A secrets directory, as the README's `…_file` options need."""
    folder = pathlib.Path(server.environment["AUTOSYNC_DATA"]).parent / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = os.stat(server.environment["AUTOSYNC_DATA"])
    os.chown(folder, owner.st_uid, owner.st_gid)

    def write(name, secret):
        file = folder / name
        file.write_text(secret + "\n", encoding="utf-8")
        file.chmod(0o600)
        os.chown(file, owner.st_uid, owner.st_gid)

    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET autosync.secrets_directory = %s", (str(folder),))
    server.stop()
    server.start()
    yield write
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM RESET autosync.secrets_directory")
    server.stop()
    server.start()


class Reader:
    """Types what the README shows into a database of its own."""

    def __init__(self, server, name, places):
        self.database = Database(server, name)
        self.database.execute(TABLES)
        self.places = places

    def type(self, statement):
        for shown, here in self.places.items():
            statement = statement.replace(shown, here)
        return None if statement == "CREATE EXTENSION autosync" else self.database.execute(statement)


@pytest.fixture(scope="module")
def reader(server, secrets, graph, qdrant, embedder):
    qdrant.clear()
    secrets("neo4j", graph.password)
    secrets("openai", embedder.key)
    places = {"http://127.0.0.1:7474": graph.url, '"password": "…"': '"password": "%s"' % graph.password, "qdrant://127.0.0.1:6333": qdrant.url.replace("http", "qdrant"),
              "https://api.openai.com/v1": embedder.url, '{"embed_url"': '{"api_key": "%s", "embed_url"' % qdrant.key}
    readers = []

    def begin(name):
        readers.append(Reader(server, name, places))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.database.connection.close()
        with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute('DROP DATABASE "%s" WITH (FORCE)' % reader.database.name)


def test_the_first_steps(reader, graph):
    first = reader("readme_first")
    start, *_ = blocks()
    *steps, plan = [first.type(statement) for statement in start]
    assert len(steps) == 3
    first.database.wait_delivered("graph")
    assert graph.rows("MATCH (c:Customer) RETURN c.name") == [["Ada"]]
    assert {row[0].split(".")[-1] for row in plan} >= {"orders", "products"}
    graph.clear()


def test_the_same_by_hand(reader, graph):
    second = reader("readme_by_hand")
    _, target, triggers, *_ = blocks()
    for statement in target + triggers:
        second.type(statement)
    second.database.wait_delivered("graph")
    assert graph.rows("MATCH (c:Customer) RETURN c.name") == [["Ada"]]
    second.database.execute("TRUNCATE customers CASCADE")
    second.database.wait_delivered("graph")
    assert graph.rows("MATCH (c:Customer) RETURN c.name") == []


def test_rows_are_searched_by_meaning(reader):
    third = reader("readme_meaning")
    *_, meaning, _ = blocks()
    *steps, search = meaning
    answers = [third.type(statement) for statement in steps]
    assert answers[2][0][:2] == (3, 3), "three rows, three texts"
    third.database.wait_delivered("vectors")
    found = third.type(search)
    assert [name for name, _ in found][0] == "Scarf" and len(found) == 3


def test_rows_publish_themselves(reader, pds):
    fifth = reader("readme_social")
    account = pds.accounts[0]
    fifth.places = {"127.0.0.1:2583": pds.url.split("//")[1], "…app password…": account["password"]}
    fifth.database.execute("CREATE TABLE users (id int PRIMARY KEY, did text); CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users, body text,"
                           " status text, created_at timestamptz DEFAULT now(), uri text, cid text)")
    fifth.database.execute("INSERT INTO users VALUES (1, %s); INSERT INTO posts VALUES (1, 1, 'Hello', 'published'), (2, 1, 'Not yet', 'draft')", account["did"])
    *_, social = blocks()
    for statement in social:
        fifth.type(statement)
    fifth.database.wait_delivered("social")
    assert [value["text"] for _, value in pds.records(account["did"], "app.bsky.feed.post").values()] == ["Hello"]


def test_the_queries_for_operators(reader):
    """Every query between back-ticks of the sections that are read at three in the morning."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    queries = re.findall(r"`(SELECT [^`…]*)`", text)
    assert len(queries) >= 12
    fourth = reader("readme_operators")
    start, *_, meaning, _ = blocks()
    for statement in start[:3] + meaning[:2]:
        fourth.type(statement)
    fourth.database.wait_delivered("graph")
    for query in queries:
        fourth.type(query)
