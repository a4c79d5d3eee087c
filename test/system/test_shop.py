"""A small database of our own with every sort of foreign key: arrives, is changed at random, arrives again."""
import pathlib

import pytest

from model import compare, tables_of
from storm import Writer, defer_foreign_keys

SHOP = pathlib.Path(__file__).with_name("shop.sql")


@pytest.fixture(scope="module")
def shop(database, graph):
    database.load(SHOP)
    database.add_graph(graph)
    database.execute("SELECT * FROM autosync.add_schema('public', 'graph')")
    database.wait_delivered()
    return database


def test_backfill_is_exact(shop, graph):
    assert compare(shop, graph) == []


def test_private_properties_are_all_that_is_added(shop, graph):
    (properties, labels), = graph.rows("MATCH (p:people {id: 7}) RETURN properties(p), labels(p)")
    assert {name for name in properties if not name.startswith("_")} == {"id", "login", "name", "born", "active", "balance", "seen_at"}
    assert sorted(label for label in labels if not label.startswith("_")) == ["people"]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_changes(shop, graph, seed):
    defer_foreign_keys(shop, tables_of(shop))
    writers = [Writer(shop, seed * 100 + number, 300, truncates=["Odd \"name`"]) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.finish()
    committed = sum(writer.committed for writer in writers)
    print("%d changes committed, %d rolled back, %d refused by PostgreSQL" % (committed, sum(w.rolled_back for w in writers), sum(w.refused for w in writers)))
    assert committed >= 900
    shop.wait_delivered()
    assert compare(shop, graph) == []


def test_truncate_with_inserts_in_the_same_transaction(shop, graph):
    with shop.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; TRUNCATE parcel_people; INSERT INTO parcel_people SELECT p.id, q.id, 'again' FROM (SELECT id FROM parcels LIMIT 1) p,"
                       " (SELECT id FROM people LIMIT 1) q; COMMIT")
    shop.wait_delivered()
    assert compare(shop, graph) == []


def test_the_comparison_sees_damage_and_publishing_mends_it(shop, graph):
    """Without this, a comparison that looks at nothing would pass all the others."""
    graph.rows("MATCH (p:parcels)-[r:SENDER]->() WITH p, r LIMIT 1 SET p.weight = -1.5 DELETE r RETURN 1")
    lines = compare(shop, graph)
    assert [line.split(":")[0] for line in lines[:2]] == ["nodes parcels", "relationships parcels.SENDER"]
    assert "relationships between nodes with a public label" in lines[2]
    shop.execute("SELECT autosync.backfill('parcels', 'graph')")
    shop.wait_delivered()
    assert compare(shop, graph) == []


def test_drop_sync_with_purge_empties_the_graph(shop, graph):
    shop.execute("SELECT autosync.drop_sync('parcel_people', 'graph', purge => true)")
    shop.wait_delivered()
    assert graph.rows("MATCH (:parcels)-[r:PARCEL_PEOPLE]->(:people) RETURN count(r)") == [[0]]
