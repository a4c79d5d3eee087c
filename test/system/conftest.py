"""Private servers for the system tests: PostgreSQL and Neo4j once per session, a database and an empty graph per test module."""
import os
import pathlib

import pytest

from servers import ROOT, Server, database_of, script, settings

from neo4j_client import Neo4j
from parts import Embedder, Qdrant, folders
from pds import Pds, Proxy


class PrivateNeo4j(Neo4j):
    def __init__(self):
        script("neo4j", "wipe")
        script("neo4j", "start")
        environment = settings("neo4j", "env")
        super().__init__(environment["NEO4J_URL"], environment["NEO4J_USER"], environment["NEO4J_PASSWORD"])

    @staticmethod
    def start():
        script("neo4j", "start")

    @staticmethod
    def stop():
        script("neo4j", "stop")

    def clear(self):
        while self.rows("MATCH (n) WITH n LIMIT 5000 DETACH DELETE n RETURN count(n)")[0][0] > 0:
            pass
        for (name,) in self.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
            self.rows("DROP CONSTRAINT `%s`" % name)


@pytest.fixture(scope="session", autouse=True)
def private_folders():
    """Run by hand, these tests do not touch the servers of scripts/postgres and scripts/neo4j; scripts/check names folders itself."""
    base = os.environ.get("TMPDIR", "/tmp")
    os.environ.setdefault("AUTOSYNC_ROOT", "%s/autosync-system-%d" % (base, os.getuid()))
    os.environ.setdefault("NEO4J_DIR", os.environ["AUTOSYNC_ROOT"] + "-neo4j")
    os.environ.setdefault("PDS_DIR", os.environ["AUTOSYNC_ROOT"] + "-pds")
    folders()


@pytest.fixture(scope="session")
def server(private_folders):
    server = Server()
    yield server
    # The server's log stays behind for whoever asks why a test failed.
    server.stop("immediate")
    # The launcher starts a crashed worker again, so that a test may pass all the same.
    assert server.crashes() == []


@pytest.fixture(scope="session")
def neo4j(private_folders):
    neo4j = PrivateNeo4j()
    yield neo4j
    script("neo4j", "wipe")


@pytest.fixture(scope="session")
def qdrant(private_folders):
    """Qdrant's stand-in."""
    qdrant = Qdrant(script, settings)
    yield qdrant
    script("qdrant", "wipe")


@pytest.fixture(scope="session")
def embedder(private_folders):
    """OpenAI's embeddings API over a real model."""
    embedder = Embedder(script, settings)
    yield embedder
    script("embedder", "wipe")


@pytest.fixture(scope="session")
def pds(private_folders):
    """A real PDS with a directory of DIDs."""
    pds = Pds(script, settings)
    yield pds
    pds.wipe()


@pytest.fixture(scope="module")
def proxy(pds):
    """Between the target and the PDS: it loses answers, and delays requests."""
    proxy = Proxy(pds)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def database(server, request):
    yield from database_of(server, request)


@pytest.fixture(scope="module")
def graph(neo4j):
    """Neo4j, emptied."""
    neo4j.clear()
    return neo4j


@pytest.fixture(scope="session")
def cypher(neo4j):
    return neo4j.rows


@pytest.fixture(scope="session")
def chinook():
    path = pathlib.Path(os.environ.get("AUTOSYNC_SHARED", ROOT.parent / "shared")) / "data" / "chinook.sql"
    if not path.exists():
        pytest.skip("%s is not there (AUTOSYNC_SHARED names the folder that holds data/chinook.sql)" % path)
    return path
