"""A target that breaks the conversation off wherever it can, or answers with anything but what it should: nothing is lost, nothing goes back in time,
the server stays up, and another target does not notice."""
import email.utils
import pathlib
import ssl
import subprocess
import time

import pytest

import graph as bad
from graph import APPLIED, STEPS, saying
from oracle import Stamper, differences
from patience import until


@pytest.fixture(scope="module")
def mirrored(things):
    """The same table in a second target, which is well."""
    things.execute("ALTER SERVER graph OPTIONS (SET retry_max_delay '300ms', ADD request_timeout '1s')")
    things.execute("CREATE SERVER mirror FOREIGN DATA WRAPPER autosync_test")
    things.execute("SELECT autosync.add_sync('things', 'mirror')")
    things.wait_delivered("mirror")
    return things


@pytest.fixture
def writer(mirrored, graph):
    graph.heal()
    writer = Stamper(mirrored, 2, 2, pause=0.005)
    writer.start()
    yield writer
    graph.heal()
    writer.stopping.set()
    writer.join()


def worker(database):
    return database.value("SELECT pid FROM autosync.stat_workers WHERE datname = current_database()")


def lag_of_mirror(database):
    """Seconds until a change is at the target that is well."""
    began = time.monotonic()
    database.execute("INSERT INTO things VALUES (-1, 1) ON CONFLICT (id) DO UPDATE SET seq = things.seq + 1")
    assert database.value("SELECT autosync.wait_delivered('mirror', '20 s')")
    return time.monotonic() - began


def end(database, graph, writer, pid):
    graph.heal()
    writer.stopping.set()
    writer.join()
    database.wait_delivered()
    assert differences(database, graph) == {}
    assert graph.journal.inversions == 0
    assert writer.disturbed == []
    assert database.value("SELECT count(*) FROM autosync.failed_events") == 0
    assert worker(database) == pid, "the worker did not live through it"


@pytest.mark.parametrize("step", STEPS)
def test_F06_the_conversation_breaks_off(mirrored, graph, writer, step):
    pid = worker(mirrored)
    again = graph.journal.duplicates
    if step == "refuse":
        graph.stop()
        until(lambda: mirrored.value("SELECT state FROM autosync.stat_targets WHERE target = 'graph'") in ("unreachable", "backing_off"), "it is not noticed")
        lag = lag_of_mirror(mirrored)
        graph.start()
    else:
        graph.fault(step, 4)
        if step == "accept":
            graph.disconnect()
        lag = lag_of_mirror(mirrored)
        until(lambda: graph.spent(), "it did not break off")
    end(mirrored, graph, writer, pid)
    assert lag < 5
    if step in APPLIED:
        assert graph.journal.duplicates > again, "what was applied and not answered is sent again"


ANSWERS = {
    "empty": saying(b""),
    "nothing said": saying(b"", "204 No Content"),
    "html": saying("<html>It works!</html>", kind="text/html"),
    "a proxy's page": saying("<html>Bad Gateway</html>", "502 Bad Gateway", kind="text/html"),
    "no type that is known": saying(b'{"results":17,"errors":"none"}'),
    "a list": saying(b"[]"),
    "half a document": saying(b'{"results":[{"columns":["applied"'),
    "too few rows": saying(b'{"results":[{"columns":["applied","newer"],"data":[{"row":[0,null]}]}],"errors":[]}'),
    "no UTF-8": saying(b'{"results":["\xff\xfe"],"errors":[{"code":"\xc3","message":"\x00"}]}'),
    "a redirect": saying("", "302 Found", "Location: http://127.0.0.1:9/\r\n"),
    "dripping": bad.dripping(3),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_F06_the_answer_is_not_what_it_should_be(mirrored, graph, writer, answer):
    pid = worker(mirrored)
    graph.fault(ANSWERS[answer], 2)
    until(graph.spent, "it was not asked")
    assert lag_of_mirror(mirrored) < 5
    if answer not in ("a proxy's page", "dripping"):  # refusals of a batch count: then its rows are tried one by one
        mirrored.execute("SELECT autosync.retry('graph')")
    end(mirrored, graph, writer, pid)


def resident(pid):
    """Megabytes that a process has had at most."""
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) >> 10


@pytest.mark.parametrize("answer", (bad.bomb(), bad.endless, bad.deep()), ids=("gzip", "endless", "deep"))
def test_F08_an_answer_that_is_meant_to_kill(mirrored, graph, writer, answer):
    pid = worker(mirrored)
    before = resident(pid)
    graph.fault(answer, 3)
    until(graph.spent, "it was not asked")
    grown = resident(pid) - before
    assert lag_of_mirror(mirrored) < 5
    mirrored.execute("SELECT autosync.retry('graph')")
    end(mirrored, graph, writer, pid)
    assert grown < 200, "%d MB" % grown


LATER = {
    "seconds": "2", "date": None, "zero": "0", "negative": "-5", "no number": "soon", "huge": "99999999999999999999", "fraction": "1.5",
}


@pytest.mark.parametrize("status", ("429 Too Many Requests", "503 Service Unavailable"))
@pytest.mark.parametrize("after", (*LATER, "none"))
def test_F05_too_much_is_said(mirrored, graph, writer, status, after):
    """The time that is named is kept to; nothing counts as an attempt."""
    pid = worker(mirrored)
    told = []

    def say(*request):
        value = email.utils.formatdate(time.time() + 3, usegmt=True) if after == "date" else LATER.get(after)
        told.append(time.monotonic())
        saying("", status, "" if value is None else "Retry-After: %s\r\n" % value)(*request)

    graph.fault(say, 1)
    until(lambda: told, "it was not asked")
    if after == "huge":
        believed = "SELECT next_attempt_time > now() + interval '30 s' FROM autosync.stat_targets WHERE target = 'graph'"
        until(lambda: mirrored.value(believed), "it is not believed")
        mirrored.execute("SELECT autosync.resume('graph')")  # somebody knows better
    end(mirrored, graph, writer, pid)
    if after in ("seconds", "date"):
        assert next(at for at in graph.times if at > told[0]) - told[0] > 1.5


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / "key", "-out", folder / "certificate"], check=True, stderr=subprocess.DEVNULL)
    subprocess.run("openssl req -new -key key -subj /CN=localhost -addext subjectAltName=DNS:localhost | openssl x509 -req -signkey key -days -1"
                   " -copy_extensions copy -out expired", shell=True, check=True, cwd=folder, stderr=subprocess.DEVNULL)
    return folder


def tls(folder, version=None, name="certificate"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / name, folder / "key")
    if version is not None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("peer", ("untrusted", "expired", "TLS 1.0", "plaintext", "no such host"))
def test_F07_a_peer_that_cannot_be_trusted(mirrored, server, graph, writer, certificate, peer):
    """It gets no byte of what it asks for, and what is pending is kept until the right one is there."""
    other = bad.Graph(tls={"untrusted": tls(certificate), "expired": tls(certificate, name="expired"), "TLS 1.0": tls(certificate, ssl.TLSVersion.TLSv1)}.get(peer))
    mode = "require" if peer == "TLS 1.0" else "verify-full"
    if peer == "expired":
        trusted = pathlib.Path(server.environment["PGHOST"]) / "trusted"
        trusted.write_bytes((certificate / "expired").read_bytes())
        trusted.chmod(0o644)
        mirrored.execute("ALTER SERVER graph OPTIONS (ADD sslrootcert '%s')" % trusted)
    url = "http://no-such-host.invalid:7474" if peer == "no such host" else "https://localhost:%d" % other.port
    mirrored.execute("ALTER SERVER graph OPTIONS (SET url '%s', ADD sslmode '%s')" % (url, mode))
    until(lambda: mirrored.value("SELECT state FROM autosync.stat_targets WHERE target = 'graph'") == "unreachable", "it is not noticed")
    assert lag_of_mirror(mirrored) < 5
    assert mirrored.value("SELECT pending FROM autosync.stat_targets WHERE target = 'graph'") > 0
    if peer == "expired":
        until(lambda: "expired" in mirrored.value("SELECT last_error FROM autosync.stat_targets WHERE target = 'graph'"), "it does not say so")
        mirrored.execute("ALTER SERVER graph OPTIONS (DROP sslrootcert)")
    mirrored.execute("ALTER SERVER graph OPTIONS (SET url '%s', DROP sslmode)" % graph.url)
    other.stop()
    assert other.bytes == 0 and other.requests == 0
    end(mirrored, graph, writer, worker(mirrored))
