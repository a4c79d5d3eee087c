"""A private server whose library has places that fail when they are asked to, and a graph that stands in for Neo4j, in this process."""
import contextlib
import os
import pathlib
import shutil
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

    def faults(self, asked="", forget=True):
        if forget:
            shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET autosync.faults = '%s'" % asked)
            cursor.execute("SELECT pg_reload_conf()")

    def failed(self, place):
        """How often it has failed."""
        try:
            return (self.folder / place).stat().st_size
        except FileNotFoundError:
            return 0


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
