"""A private server whose library has places that fail when they are asked to, and a graph that stands in for Neo4j, in this process."""
import contextlib
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
from servers import Server, database_of  # noqa: E402
from graph import Graph  # noqa: E402
from oracle import TABLE  # noqa: E402


class FaultyServer(Server):
    """Places of the library fail: faults('after_send:exit:3') lets that one fail three times."""

    @property
    def folder(self):
        return pathlib.Path(self.environment["AUTOSYNC_DATA"]) / "autosync_faults"

    def __init__(self):
        super().__init__()
        self.before = {}  # how often each place had failed when it was asked to the last time
        self.crashed = None  # of places that are to crash: how many crashes there had been

    def ever_failed(self, place):
        try:
            return (self.folder / place).stat().st_size
        except FileNotFoundError:
            return 0

    def faults(self, asked=""):
        """'PLACE:ACTION:MOST', or nothing. What has failed goes on counting: processes may hear of this late."""
        if asked:
            place, action, most = asked.split(":")
            self.before[place] = self.ever_failed(place)
            asked = "%s:%s:%d" % (place, action, self.before[place] + int(most))
            self.crashed = len(self.crashes()) if action == "segv" else None
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET autosync.faults = '%s'" % asked)
            cursor.execute("SELECT pg_reload_conf()")

    def failed(self, place):
        """How often it has failed since it was asked to. A crash is one when the postmaster knows of it: until then it takes sessions that it will end."""
        times = self.ever_failed(place) - self.before.get(place, 0)
        return times if times == 0 or self.crashed is None else min(times, len(self.crashes()) - self.crashed)


@pytest.fixture(scope="session")
def server():
    os.environ.setdefault("AUTOSYNC_ROOT", "%s/autosync-fault-%d" % (os.environ.get("TMPDIR", "/tmp"), os.getuid()))
    os.environ["AUTOSYNC_FAULTS"] = "1"
    server = FaultyServer()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="module")
def database(server, request):
    yield from database_of(server, request)


@pytest.fixture(scope="module")
def graph():
    graph = Graph()
    yield graph
    graph.stop()


@pytest.fixture(scope="module")
def things(database, graph):
    """One table that the graph follows."""
    database.execute(TABLE)
    database.add_graph(graph)
    database.execute("SELECT autosync.add_sync('things', 'graph')")
    database.wait_delivered()
    return database
