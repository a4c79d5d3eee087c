"""What README and docs/ show is what a reader gets: their SQL is run as it is written there, with this machine's addresses and passwords in place of their own."""
import contextlib
import json
import os
import pathlib
import re

import pytest
import yaml

import reader as reading
from servers import ROOT
from neo4j_client import Neo4j
from parts import Embedder, Qdrant
from pds import Pds

README = ROOT / "README.md"
PAGES = sorted(page for page in (ROOT / "docs").glob("*.md") if reading.blocks(page))
NEEDED = {"neo4j.md": ("graph",), "qdrant.md": ("qdrant", "embedder"), "atproto.md": ("pds",)}


def blocks():
    """The README's SQL, without the rows it shows."""
    return [[statement for _, statement, _ in block] for block in reading.blocks(README)]


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


def places_of(part, secrets):
    """What a page shows of this server, and what is so on this machine."""
    if isinstance(part, Qdrant):
        secrets("qdrant", part.key)
        return {"qdrant://127.0.0.1:6333": part.url.replace("http", "qdrant"), '{"embed_url"': '{"api_key": "%s", "embed_url"' % part.key, "http://127.0.0.1:6333": part.url}
    if isinstance(part, Embedder):
        secrets("openai", part.key)
        return {"https://api.openai.com/v1": part.url}
    if isinstance(part, Pds):
        return {"127.0.0.1:2583": part.url.split("//")[1], "…app password…": part.accounts[0]["password"], "did:plc:example": part.accounts[0]["did"]}
    secrets("neo4j", part.password)
    return {"http://127.0.0.1:7474": part.url, '"password": "…"': '"password": "%s"' % part.password}


@pytest.fixture(scope="module")
def reader(server, secrets, graph, qdrant, embedder):
    qdrant.clear()
    places = {shown: here for part in (graph, qdrant, embedder) for shown, here in places_of(part, secrets).items()}
    readers = []

    def begin(name):
        readers.append(reading.Reader(server, name, dict(places)))
        return readers[-1]

    yield begin
    for reader in readers:
        reader.leave()


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
    fifth.places.update(places_of(pds, None))
    fifth.database.execute("CREATE TABLE users (id int PRIMARY KEY, did text); CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users, body text,"
                           " status text, created_at timestamptz DEFAULT now(), uri text, cid text)")
    fifth.database.execute("INSERT INTO users VALUES (1, %s); INSERT INTO posts VALUES (1, 1, 'Hello', 'published'), (2, 1, 'Not yet', 'draft')", account["did"])
    *_, social = blocks()
    for statement in social:
        fifth.type(statement)
    fifth.database.wait_delivered("social")
    assert [value["text"] for _, value in pds.records(account["did"], "app.bsky.feed.post").values()] == ["Hello"]


def test_the_queries_for_operators(reader):
    """Every query between back-ticks of what is read at three in the morning."""
    text = README.read_text(encoding="utf-8") + (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    queries = list(dict.fromkeys(re.findall(r"`(SELECT [^`…]*)`", text)))
    assert len(queries) >= 25
    fourth = reader("readme_operators")
    start, *_, meaning, _ = blocks()
    for statement in start[:3] + meaning[:2]:
        fourth.type(statement)
    fourth.database.wait_delivered("graph")
    for query in queries:
        fourth.type(query)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page(page, server, secrets, request):
    parts = [request.getfixturevalue(name) for name in NEEDED.get(page.name, ())]
    for part in parts:
        if isinstance(part, (Neo4j, Qdrant)):
            part.clear()
    places = {shown: here for part in parts for shown, here in places_of(part, secrets).items()}
    reader = reading.Reader(server, "docs_" + page.stem.replace("-", "_"), places)
    try:
        assert reader.follow(page, *parts[:1]) > 0, "nothing of what the page shows is compared"
    finally:
        reader.leave()


@pytest.fixture(scope="module")
def monitored(server, secrets):
    """A database with targets in several states, as a member of pg_monitor sees it."""
    reader = reading.Reader(server, "docs_monitored", {})
    for statement in ("SELECT autosync.add_target('trial', 'test://')", "SELECT autosync.add_target('idle', 'test://')", "SELECT autosync.pause('idle')",
                      "SELECT autosync.add_sync('customers', t) FROM unnest('{trial,idle}'::name[]) AS t", "SELECT autosync.wait_delivered('trial', '60s')",
                      "CREATE ROLE docs_monitor IN ROLE pg_monitor", "SET ROLE docs_monitor"):
        reader.database.execute(statement)
    yield reader.database
    reader.leave()


def exported():
    """The metrics of the file for postgres_exporter, with their queries."""
    return yaml.safe_load((ROOT / "docs" / "postgres_exporter.yml").read_text(encoding="utf-8"))


def test_the_queries_for_prometheus(monitored):
    for name, metric in exported().items():
        with monitored.connection.cursor() as cursor:
            cursor.execute(metric["query"])
            assert cursor.fetchone() is not None or name == "autosync_progress", "%s has no rows" % name
            assert [column.name for column in cursor.description] == [next(iter(each)) for each in metric["metrics"]], "columns of " + name
    assert {value["usage"] for metric in exported().values() for each in metric["metrics"] for value in each.values()} == {"LABEL", "GAUGE", "COUNTER"}


def test_the_dashboard(monitored):
    known = {"%s_%s" % (name, column) for name, metric in exported().items() for each in metric["metrics"] for column, value in each.items() if value["usage"] != "LABEL"}
    dashboard = json.loads((ROOT / "docs" / "grafana.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    used = set(re.findall(r"\bautosync_(?:target|state|health|progress|worker|outbox)_\w+", page))
    for target in (target for panel in dashboard["panels"] for target in panel["targets"]):
        if "rawSql" in target:
            assert monitored.execute(target["rawSql"]) is not None
        else:
            used.update(re.findall(r"\bautosync_\w+", target["expr"]))
    assert len(used) >= 8 and used <= known, "not exported: %s" % sorted(used - known)


def test_every_link_leads_somewhere():
    def anchor(heading):
        return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")

    for page in [README, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            if link.startswith("http"):
                continue
            place, _, heading = link.partition("#")
            there = page if not place else page.parent / place
            assert there.exists(), "%s: %s" % (page.name, link)
            assert not heading or heading in map(anchor, re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)), "%s: %s" % (page.name, link)


def test_what_pgxn_reads():
    meta = json.loads((ROOT / "META.json").read_text(encoding="utf-8"))
    version = re.search(r"default_version = '(.*)'", (ROOT / "control" / "autosync.control").read_text(encoding="utf-8"))[1]
    assert {"name", "abstract", "version", "maintainer", "license", "provides", "meta-spec"} <= meta.keys() and meta["license"] == "postgresql"
    assert meta["version"] == meta["provides"]["autosync"]["version"] == version
    for name in ("file", "docfile"):
        assert (ROOT / meta["provides"]["autosync"][name]).exists()
