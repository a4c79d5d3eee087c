"""Masks and soft deletes: nothing that is masked is at a target or in what an embedder is asked, nor what a mask was declared for later; rows that count as deleted are not there."""
import pytest

from vectors import Scene, close


@pytest.fixture(scope="module")
def people(database, graph):
    database.execute("CREATE TABLE people (id int PRIMARY KEY, name text, email text, phone text, boss int REFERENCES people, left_at timestamptz)")
    database.execute("INSERT INTO people VALUES (1, 'Ada', 'ada@example.com', '111', NULL, NULL), (2, 'Bob', 'bob@example.com', '222', 1, NULL), (3, 'Cid', NULL, NULL, 1, now())")
    database.add_graph(graph)
    database.execute("""SELECT autosync.add_sync('people', 'graph', '{"soft_delete": "left_at", "mask": {"email": "hash"}}')""")
    database.wait_delivered()
    return database


def nodes(graph):
    return {properties["id"]: properties for (properties,) in graph.rows("MATCH (n:people) WHERE n.id IS NOT NULL RETURN properties(n)")}


def test_a_hash_stands_for_the_value(people, graph):
    found = nodes(graph)
    assert set(found) == {1, 2}
    assert found[1]["email"] == people.value("SELECT encode(sha256('ada@example.com'), 'hex')")
    assert found[1]["phone"] == "111"
    assert graph.rows("MATCH (:people {id: 2})-[r:BOSS]->(:people {id: 1}) RETURN count(r)") == [[1]]


def test_soft_deleted_rows_go_and_come_back(people, graph):
    people.execute("UPDATE people SET left_at = now() WHERE id = 2")
    people.wait_delivered()
    assert set(nodes(graph)) == {1}
    people.execute("UPDATE people SET left_at = NULL WHERE id IN (2, 3)")
    people.wait_delivered()
    assert set(nodes(graph)) == {1, 2, 3}


def test_a_mask_declared_later_takes_back_what_was_sent(people, graph):
    people.execute("""SELECT autosync.alter_sync('people', 'graph', '{"mask": {"email": "null", "phone": "(secret)", "boss": "hash"}}')""")
    people.wait_delivered()
    found = nodes(graph)
    assert [("email" in node, node.get("phone")) for _, node in sorted(found.items())] == [(False, "(secret)"), (False, "(secret)"), (False, None)]
    assert found[2]["boss"] == people.value("SELECT encode(sha256('1'), 'hex')")
    assert graph.rows("MATCH ()-[r]->() RETURN count(r)") == [[0]]


def test_an_embedder_and_a_payload_get_what_stands_for_it(database, qdrant, embedder):
    qdrant.clear()
    embedder.control()
    scene = Scene(database, qdrant, embedder)
    scene.target()
    database.execute("CREATE TABLE notes (id int PRIMARY KEY, title text, author text, gone bool)")
    database.execute("INSERT INTO notes VALUES (1, 'a walk', 'Ada Lovelace', false), (2, 'a swim', NULL, NULL), (3, 'a nap', 'Bob', true)")
    scene.sync("notes", embed=["title", "author"], mask={"author": "somebody"}, soft_delete="gone")
    scene.arrive()
    points = qdrant.points("notes", with_vector=True)
    assert {key: point["payload"].get("author") for key, point in points.items()} == {1: "somebody", 2: None}
    assert close(points[1]["vector"], scene.embed(["a walk\nsomebody"])[0])
    database.execute("UPDATE notes SET gone = id < 3")
    scene.arrive()
    assert set(qdrant.points("notes")) == {3}
