"""Rows on their way into Qdrant's API: with vectors of their own, and embedded by a provider that answers at once."""
import json

from machine import add_sync, cpu, one, session, wait_delivered, worker

DIMENSIONS = 384
ROWS = 50_000


def measure(report, server):
    with session() as connection:
        options = json.dumps({"embed_url": server.url + "/v1", "model": "instant", "batch_size": 500})
        one(connection, "SELECT autosync.add_target('vectors', %s, %s)", server.url.replace("http://", "qdrant://"), options)
        numbers = f"(SELECT array_agg(((i * 31 + d * 17) % 2000 - 1000) / 1234.5) FROM generate_series(1, {DIMENSIONS}) AS d)::float4[]"
        rate, each = run(connection, server, "measured", "v float4[]", {"vector": "v", "payload": ["name"]}, numbers)
        report.add(f"given vectors ({DIMENSIONS} × float4) → Qdrant's API that answers at once: rows/s", "≥ 20,000", {"autosync": f"{rate:,.0f}"})
        report.add("— worker CPU µs per row", "—", {"autosync": f"{each:.1f}"})
        rate, each = run(connection, server, "described", "description text", {"embed": ["name", "description"], "payload": ["name"]},
                         "repeat('a few words about it ', 10) || i")
        report.add(f"text → provider that answers at once ({DIMENSIONS} dimensions) → Qdrant's API: rows/s", "—", {"autosync": f"{rate:,.0f}"})
        report.add("— worker CPU µs per embedded row", "≤ 60", {"autosync": f"{each:.1f}"})


def run(connection, server, name, column, options, value):
    """Rows per second and CPU µs of the worker for each."""
    one(connection, f"CREATE TABLE {name} (id int PRIMARY KEY, name text, {column})")
    add_sync(connection, name, "vectors", json.dumps(options))
    wait_delivered(connection, "vectors")
    one(connection, "SELECT autosync.pause('vectors')")
    for start in range(1, ROWS + 1, 1000):
        one(connection, f"INSERT INTO {name} SELECT i, 'name ' || i, {value} FROM generate_series({start}, {start + 999}) AS i")
    pid = worker(connection)
    before = cpu(pid), len(server.arrivals())
    one(connection, "SELECT autosync.resume('vectors')")
    wait_delivered(connection, "vectors")
    spent = cpu(pid) - before[0]
    _, rate = server.since(before[1], ROWS)
    one(connection, f"SELECT autosync.drop_sync('{name}', 'vectors')")
    one(connection, f"DROP TABLE {name}")
    return rate, spent / ROWS * 1e6
