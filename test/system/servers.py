"""A private PostgreSQL and databases in it, as tests see them; and the project's scripts."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import psycopg2
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # for neo4j_client, rest


def script(*command, check=True, timeout=600):
    return subprocess.run([str(ROOT / "scripts" / command[0]), *command[1:]], check=check, timeout=timeout, stdout=subprocess.PIPE, text=True).stdout


def settings(*command):
    """What a script's `env` exports, as a dictionary."""
    words = script(*command).replace("export ", "").split()
    return dict(word.split("=", 1) for word in words)


def preload(*libraries):
    """What a server's processes are to load first, for the dynamic linker: a sanitizer's runtime, if there is one, comes before all else."""
    return ":".join(filter(None, [os.environ.get("AUTOSYNC_PRELOAD"), *map(str, libraries)]))


class Server:
    """The private PostgreSQL."""

    def __init__(self):
        script("postgres", "wipe")
        script("postgres", "install")
        self.start()
        self.environment = settings("postgres", "env")

    @staticmethod
    def start():
        script("postgres", "start")

    @staticmethod
    def stop(mode="fast"):
        script("postgres", "stop", mode)

    @staticmethod
    def runs(process):
        try:
            return os.readlink("/proc/%s/exe" % process).endswith("postgres")
        except OSError:  # it is gone, or was another's when this one had ended
            return False

    def kill(self):
        """kill -9 of the postmaster; the others find it gone and end without another word, as in a crash."""
        data = pathlib.Path(self.environment["AUTOSYNC_DATA"])
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # nobody is born meanwhile who would live on
        children = subprocess.run(["pgrep", "-P", str(postmaster)], stdout=subprocess.PIPE, text=True).stdout.split()
        for process in [postmaster, *map(int, children)]:
            try:
                os.kill(process, 9)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 20
        while any(map(self.runs, children)):
            assert time.monotonic() < deadline, "processes of the killed server are still there"
            time.sleep(0.05)
        # Its lock files outlive it, and where nobody buries the dead its process seems to live on.
        (data / "postmaster.pid").unlink(missing_ok=True)
        for lock in pathlib.Path(self.environment["PGHOST"]).glob(".s.PGSQL.*"):
            lock.unlink()

    def log(self):
        return (pathlib.Path(self.environment["PGHOST"]) / "server.log").read_text(encoding="utf-8", errors="replace")

    def crashes(self):
        """What its log says of processes that have crashed; kill -9 is our own doing."""
        return [line for line in self.log().splitlines() if "was terminated by signal" in line and "signal 9" not in line]

    def connect(self, database):
        connection = psycopg2.connect(host=self.environment["PGHOST"], port=self.environment["PGPORT"], user="postgres", dbname=database)
        connection.autocommit = True
        return connection


class Database:
    """A fresh database with the extension."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.connection = None
        with server.connect("postgres").cursor() as cursor:
            cursor.execute('DROP DATABASE IF EXISTS "%s" WITH (FORCE)' % name)
            cursor.execute('CREATE DATABASE "%s"' % name)
        self.execute("CREATE EXTENSION autosync")

    def connect(self):
        return self.server.connect(self.name)

    def execute(self, statement, *arguments):
        """Rows of a statement, or None; connects again after the server was gone."""
        if self.connection is None or self.connection.closed:
            self.connection = self.connect()
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(statement, arguments or None)
            except psycopg2.Error:
                if self.connection.closed:
                    self.connection = None
                raise
            return cursor.fetchall() if cursor.description else None

    def value(self, statement, *arguments):
        return self.execute(statement, *arguments)[0][0]

    def load(self, path):
        script("postgres", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.name, "-f", str(path))

    def add_graph(self, neo4j, **options):
        # Short delays, so that a target that was down is found again soon.
        self.execute("CREATE SERVER graph FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s', retry_initial_delay '200ms', retry_max_delay '1s')" % neo4j.url)
        self.execute("CREATE USER MAPPING FOR PUBLIC SERVER graph OPTIONS (username '%s', password '%s')" % (neo4j.user, neo4j.password))
        self.execute("SELECT autosync.adopt_database()")

    def wait_delivered(self, target="graph", timeout=180):
        """Waits until all that is committed has arrived, and says what is in the way if it does not."""
        if self.value("SELECT autosync.wait_delivered(%s, %s)", target, "%d s" % timeout):
            return
        state = self.execute("SELECT row_to_json(t)::text FROM autosync.stat_targets t")
        failed = self.execute("SELECT row_to_json(f)::text FROM autosync.failed_events f LIMIT 5")
        progress = self.execute("SELECT row_to_json(p)::text FROM autosync.stat_progress p")
        pytest.fail("not delivered within %d s\nstat_targets: %s\nfailed_events: %s\nstat_progress: %s" % (timeout, state, failed, progress))


def database_of(server, request):
    """For a fixture: a database with autosync for one module of tests."""
    server.start()  # a test that killed it may have failed before it brought it back
    database = Database(server, request.module.__name__.split(".")[-1])
    yield database
    if database.connection is not None:
        database.connection.close()
    server.start()
    with server.connect("postgres").cursor() as cursor:
        cursor.execute('DROP DATABASE "%s" WITH (FORCE)' % database.name)
