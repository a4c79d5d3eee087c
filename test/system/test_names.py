"""Names and foreign keys that change under a sync: what was delivered follows, and nothing stays under a name of the past."""
import pathlib

import pytest

from model import compare

SHOP = pathlib.Path(__file__).with_name("shop.sql")


@pytest.fixture(scope="module")
def shop(database, graph):
    database.load(SHOP)
    database.add_graph(graph)
    database.execute("SELECT * FROM autosync.add_schema('public', 'graph')")
    database.wait_delivered()
    assert compare(database, graph) == []
    return database


def private_labels(graph):
    return {label for (label,) in graph.rows("MATCH (n) UNWIND labels(n) AS label WITH DISTINCT label WHERE label STARTS WITH '_' RETURN label")}


@pytest.mark.parametrize("statements", [
    "ALTER TABLE people RENAME TO persons",
    "ALTER TABLE parcel_people RENAME TO involved",
    "BEGIN; ALTER TABLE regions RENAME TO aside; ALTER TABLE parcels RENAME TO regions; ALTER TABLE aside RENAME TO parcels; COMMIT",
    "ALTER TABLE involved DROP CONSTRAINT parcel_people_person_id_fkey",
    "ALTER TABLE involved ADD FOREIGN KEY (person_id) REFERENCES persons",
    "ALTER TABLE regions DROP CONSTRAINT parcels_sender_id_fkey",
    "ALTER TABLE regions ADD FOREIGN KEY (sender_id) REFERENCES persons",
])
def test_the_graph_follows(shop, graph, statements):
    for statement in statements.split("; "):
        shop.execute(statement)
    shop.wait_delivered()
    assert compare(shop, graph) == []


def test_a_schema_renamed(shop, graph):
    shop.execute("ALTER SCHEMA public RENAME TO shop")
    try:
        shop.wait_delivered()
        assert {label for label in private_labels(graph) if not label.startswith("_shop.")} == set()
        assert graph.rows("MATCH (:regions)-[r:SENDER]->(:persons) RETURN count(r)") == [[600]]
    finally:
        shop.execute("ALTER SCHEMA shop RENAME TO public")
    shop.wait_delivered()
    assert compare(shop, graph) == []
    assert {label for label in private_labels(graph) if not label.startswith("_public.")} == set()
    assert "_public.people" not in private_labels(graph)
