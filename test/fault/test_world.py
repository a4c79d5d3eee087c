"""The world goes wrong: no room on the disk, a clock that jumps."""
import pathlib
import re
import subprocess
import time

import psycopg2
import pytest

from crashes import back
from oracle import Stamper, differences, forgotten
from patience import until
from servers import preload


MUCH = ("INSERT INTO things SELECT i, 1, repeat('z', 500) FROM generate_series(-5000, -1) AS i"
        " ON CONFLICT (id) DO UPDATE SET seq = things.seq + 1")


@pytest.fixture(scope="module")
def world(server, things):
    """Says what is wrong: world("full", "/base/"), world("clock", -3600); with nothing said all is well again."""
    folder = pathlib.Path(server.environment["PGHOST"])
    library = folder / "world.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-DFOLDER=\"%s\"" % folder, "-o", str(library), str(pathlib.Path(__file__).with_name("world.c")), "-ldl"],
                   check=True)
    library.chmod(0o755)

    def say(what="", value=""):
        for name in ("full", "clock"):
            (folder / name).unlink(missing_ok=True)
        if what:
            (folder / what).write_text(str(value))
            (folder / what).chmod(0o644)
    say()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOSYNC_PRELOAD", preload(library))
        server.stop()
        server.start()
        things.connection = None
        yield say
    say()
    server.stop("immediate")
    server.start()


@pytest.fixture
def writer(things, world):
    back(things)
    writer = Stamper(things, 3, 3, pause=0.005)
    writer.start()
    yield writer
    world()
    writer.stopping.set()
    writer.join()


def end(things, graph, writer):
    writer.stopping.set()
    writer.join()
    things.wait_delivered()
    assert differences(things, graph) == {}
    assert graph.journal.inversions == 0
    assert forgotten(things, [writer]) == {}


def test_F09_no_room_for_data(things, server, graph, world, writer):
    """What a session cannot write down fails as a whole, with or without us; the worker waits, and goes on when there is room."""
    crashes = len(server.crashes())
    world("full", "/base/")
    deadline = time.monotonic() + 30
    refused = 0
    while refused < 3:
        assert time.monotonic() < deadline, "there is room"
        try:
            things.execute(MUCH)
        except psycopg2.errors.DiskFull:
            refused += 1
    time.sleep(2)
    world()
    time.sleep(0.5)
    end(things, graph, writer)
    assert [error for error in writer.disturbed if "DiskFull" not in error] == []
    assert len(server.crashes()) == crashes


def test_F09_no_room_for_the_wal(things, server, graph, world, writer):
    """PostgreSQL itself goes down for that. When there is room again, all that was confirmed is there, here and at the target."""
    time.sleep(0.5)
    world("full", "/pg_wal/")
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline, "there is room"
        try:
            things.execute(MUCH)
            things.execute("SELECT pg_switch_wal()")
        except psycopg2.Error:
            break
    until(lambda: re.search(r"PANIC:.*No space left", server.log()), "the server has not noticed")
    time.sleep(1)
    world()
    server.stop("immediate")
    server.start()
    back(things)
    end(things, graph, writer)


DAY = 86_400


def test_F22_the_clock_jumps(things, graph, world, writer):
    """Forth by a month and back by two days more: nothing waits for the clock, and the newest row wins, whatever it says."""
    until(lambda: things.value("SELECT autosync.wait_delivered('graph', '5 s')"), "it is delivered")
    things.execute("ALTER SERVER graph OPTIONS (ADD max_attempts '1000')")  # it is not given up before the clock is set back
    graph.stop()  # a retry is waited for
    until(lambda: things.value("SELECT state FROM autosync.stat_targets WHERE target = 'graph'") == "unreachable", "it is not noticed")
    world("clock", 30 * DAY)
    until(lambda: things.value("SELECT now() > '%s'::timestamptz" % time.strftime("%Y-%m-%d", time.gmtime(time.time() + 29 * DAY))), "the clock is right")
    graph.start()
    began = time.monotonic()
    things.wait_delivered(timeout=60)
    graph.refusing = re.compile("poison")
    things.execute("INSERT INTO things VALUES (-70077, 1, 'poison')")
    until(lambda: things.value("SELECT retrying FROM autosync.stat_targets WHERE target = 'graph'") == 1, "it is refused")
    world("clock", -2 * DAY)
    graph.refusing = re.compile("(?!)")
    until(lambda: graph.held().get("-70077") == 1, "what was refused waits for the clock", timeout=60)
    things.execute("UPDATE things SET seq = seq + 1 WHERE id = -70077")
    things.wait_delivered(timeout=60)
    assert graph.held()["-70077"] == 2
    print("caught up within %.1f s" % (time.monotonic() - began))
    world()
    end(things, graph, writer)
    assert writer.disturbed == []
    things.execute("ALTER SERVER graph OPTIONS (DROP max_attempts)")


def test_F22_what_is_too_old_is_so_by_the_clock(things, graph, world):
    things.execute("ALTER SERVER graph OPTIONS (ADD event_ttl '1h')")
    things.wait_delivered()
    graph.stop()
    things.execute("INSERT INTO things VALUES (-70088, 1)")
    world("clock", 2 * 3600)
    until(lambda: things.value("SELECT count(*) FROM autosync.event_log WHERE status = 'EXPIRED' AND entity_id = '-70088'") == 1, "it expires")
    until(lambda: float(things.value("SELECT extract(epoch FROM clock_timestamp())")) > time.time() + 3600, "the session has the same time")
    things.execute("INSERT INTO things VALUES (-70089, 1)")
    graph.start()
    things.wait_delivered(timeout=60)
    assert "-70088" not in graph.held() and graph.held()["-70089"] == 1
    world()
    until(lambda: float(things.value("SELECT extract(epoch FROM clock_timestamp())")) < time.time() + 3600, "the session has the right time")
    things.execute("ALTER SERVER graph OPTIONS (DROP event_ttl); SELECT autosync.publish('things', id::text) FROM things WHERE id = -70088")
    things.wait_delivered(timeout=60)
    assert differences(things, graph) == {}
