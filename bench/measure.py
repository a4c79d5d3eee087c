"""Runs the measurements: bench/run sets the scene. Arguments: the HTTP server's program, its port, where the results go (without .md), parts."""
import datetime
import os
import subprocess
import sys

import capture
import delivery
import memory
import peers
import questions
import reading
import trouble
import vectors
from machine import InstantServer, one, session
from report import Report

# In the order in which they run; None: only when asked for, as it takes long or fetches much.
PARTS = {
    "capture": lambda report, server: capture.measure(report),
    "reading": reading.measure,
    "delivery": delivery.measure_throughput,
    "latency": delivery.measure_latency,
    "trouble": trouble.measure,
    "vectors": vectors.measure,
    "questions": lambda report, server: questions.measure(report),
    "memory": memory.measure,
    "peers": peers.measure,
}
WHEN_ASKED = ("memory", "peers")


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    revision = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; autosync {revision}"


def make_database():
    """A new one for each part: what one leaves behind is not measured with the next, and neither is its worker."""
    with session("postgres") as connection:
        one(connection, "DROP DATABASE IF EXISTS bench WITH (FORCE)")
        one(connection, "CREATE DATABASE bench")
    with session() as connection:
        one(connection, "CREATE EXTENSION autosync")


def main(program, port, results, *parts):
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with session("postgres") as connection:
        report = Report(results, f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, `{' '.join(['bench/run', *parts])}`: {machine()},"
                                 f" PostgreSQL {one(connection, 'SHOW server_version')}")
    server = InstantServer(program, int(port))
    try:
        for name, measure in PARTS.items():
            if name in parts or not parts and name not in WHEN_ASKED:
                make_database()
                measure(report, server)
    finally:
        server.stop()
        report.draw()


main(*sys.argv[1:])
