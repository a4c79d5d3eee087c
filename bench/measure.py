"""Runs the measurements and prints one Markdown table: bench/run sets the scene. Arguments: the HTTP server's program, its port, parts."""
import datetime
import os
import subprocess
import sys

import capture
import delivery
import memory
import questions
import reading
import vectors
from machine import InstantServer, one, session

PARTS = ("capture", "reading", "delivery", "latency", "vectors", "questions")
MORE = ("memory",)  # takes long: only when asked for
NAMES = {"outbox": "plpgsql outbox", "pgq": "PgQ logutriga"}


class Table:
    """One row per thing measured: what, the goal, autosync, and whatever else was measured beside it."""

    def __init__(self):
        print("| what | to reach | autosync | instead |\n| --- | --- | --- | --- |", flush=True)

    def add(self, what, goal, values):
        others = " · ".join(f"{NAMES.get(name, name)}: {value}" for name, value in values.items() if name != "autosync")
        print(f"| {what} | {goal} | {values['autosync']} | {others or '—'} |", flush=True)


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; autosync {revision}"


def main(program, port, *parts):
    wanted = parts or PARTS
    unknown = set(wanted) - set(PARTS + MORE)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS + MORE)}")
    with session("postgres") as connection:
        one(connection, "CREATE DATABASE bench")
    with session() as connection:
        one(connection, "CREATE EXTENSION autosync")
        print(f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, `bench/run {' '.join(parts)}`: {machine()},"
              f" PostgreSQL {one(connection, 'SHOW server_version')}\n")
    server = InstantServer(program, int(port))
    table = Table()
    try:
        if "capture" in wanted:
            capture.measure(table)
        if "reading" in wanted:
            reading.measure(table, server)
        if "delivery" in wanted:
            delivery.measure_throughput(table, server)
        if "latency" in wanted:
            delivery.measure_latency(table, server)
        if "vectors" in wanted:
            vectors.measure(table, server)
        if "questions" in wanted:
            questions.measure(table)
        if "memory" in wanted:
            memory.measure(table, server)
    finally:
        server.stop()


main(*sys.argv[1:])
