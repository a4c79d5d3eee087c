"""A real database: the whole of Chinook arrives exactly; then ten thousand random changes, after which graph and tables are compared entity by entity."""
import pytest

from model import compare, tables_of
from storm import Writer, defer_foreign_keys

CHANGES = 10_000
WRITERS = 3


@pytest.fixture(scope="module")
def shop(database, graph, chinook):
    database.load(chinook)
    database.add_graph(graph)
    database.execute("SELECT * FROM autosync.add_schema('public', 'graph')")
    database.wait_delivered(timeout=300)
    return database


def test_every_row_is_a_node_or_a_relationship(shop, graph):
    counts = dict(graph.rows("MATCH (n) UNWIND labels(n) AS label WITH label WHERE NOT label STARTS WITH '_' RETURN label, count(*)"))
    expected = {name: shop.value('SELECT count(*) FROM "%s"' % name) for name, table in tables_of(shop).items() if not table.is_join}
    assert counts == expected
    assert sum(counts.values()) == 6892
    assert graph.rows("MATCH (:playlist)-[r:PLAYLIST_TRACK]->(:track) RETURN count(r)") == [[8715]]


def test_every_foreign_key_is_a_relationship(shop, graph):
    for name, table in tables_of(shop).items():
        for link in table.foreign_keys if not table.is_join else []:
            expected = shop.value('SELECT count(*) FROM "%s" WHERE "%s" IS NOT NULL' % (name, link.columns[0]))
            found = graph.rows("MATCH (:`%s`)-[r:`%s`]->(:`%s`) RETURN count(r)" % (name, link.type, link.parent))[0][0]
            assert (name, link.name, found) == (name, link.name, expected)


def test_every_entity_is_exact(shop, graph):
    assert compare(shop, graph) == []


def test_ten_thousand_random_changes(shop, graph):
    defer_foreign_keys(shop, tables_of(shop))
    writers = [Writer(shop, 20_240 + number, CHANGES // WRITERS + 1) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.finish()
    committed, rolled_back, refused = (sum(getattr(writer, name) for writer in writers) for name in ("committed", "rolled_back", "refused"))
    print("%d changes committed, %d rolled back, %d refused by PostgreSQL" % (committed, rolled_back, refused))
    assert committed >= CHANGES and rolled_back > 0
    shop.wait_delivered(timeout=300)
    assert compare(shop, graph) == []
    assert shop.value("SELECT count(*) FROM autosync.failed_events") == 0
