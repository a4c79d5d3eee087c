"""A graph that stands in for Neo4j on bad days: it does what the statements of the kind autosync_neo4j ask for one table of nodes, keeps a journal of
what it was told, and breaks a conversation off wherever a test wants."""
import contextlib
import gzip
import json
import os
import re
import socket
import socketserver
import struct
import threading
import time

# Where a conversation can break off, in its order; the last three have applied what they were asked.
STEPS = ("refuse", "accept", "headers", "half_request", "request", "applied", "half_head", "half_answer")
APPLIED = STEPS[5:]
LABEL = re.compile(r"\(n:`_((?:[^`]|``)+)`")


class Row:
    """What the graph holds of one key: a version, and the number of a state; None: it was removed."""
    __slots__ = ("version", "number")

    def __init__(self, version, number):
        self.version = version
        self.number = number


class Journal:
    """What became of each state that was sent: the oracle's witness, outside of PostgreSQL."""

    def __init__(self, full=True):
        self.full = full
        self.entries = []  # (source, key, version, number of the state or None, applied)
        self.highest = {}  # (source, key): the highest number that was in effect
        self.last = {}  # (source, key): the number that is in effect; None: removed
        self.events = self.stale = self.duplicates = self.inversions = 0

    def note(self, place, version, number, applied):
        self.events += 1
        if self.full:
            self.entries.append((*place, version, number, applied))
        if not applied:
            self.stale += 1
            return
        if place in self.last and self.last[place] == number:
            self.duplicates += 1
        elif number is not None and number <= self.highest.get(place, -1):
            self.inversions += 1
        self.last[place] = number
        if number is not None:
            self.highest[place] = max(number, self.highest.get(place, -1))


class Graph:
    """`fault(step, count)` breaks so many requests off; `answer(bytes or function)` gives them another answer than the right one."""
    user = "neo4j"
    password = "secret-of-the-graph"

    def __init__(self, full_journal=True, tls=None):
        self.tls = tls  # an ssl.SSLContext
        self.lock = threading.Lock()
        self.rows = {}
        self.journal = Journal(full_journal)
        self.requests = 0
        self.bytes = 0  # that came in with requests
        self.faults = []  # [step, how often still, only requests with rows]
        self.refusing = re.compile("(?!)")  # documents that are refused for good
        self.delay = 0
        self.times = []  # when requests with rows came
        self.open = set()
        self.server = None
        self.port = 0
        self.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def start(self):
        graph = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                graph.open.add(self.request)
                try:
                    graph.converse(self.request if graph.tls is None else graph.tls.wrap_socket(self.request, server_side=True))
                except (OSError, Broken):
                    pass
                finally:
                    graph.open.discard(self.request)

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 50

            def handle_error(self, request, client_address):
                raise  # a defect of this file

        deadline = time.monotonic() + 60
        while self.server is None:
            try:
                self.server = Listener(("127.0.0.1", self.port), Handler)
            except OSError:  # while nobody listened, somebody's connection may have got the port
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        """Nobody listens any more, and who talks is cut off."""
        if self.server is None:
            return
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        self.disconnect()

    def fault(self, step, count=1, rows=True):
        with self.lock:
            self.faults.append([step, count, rows])

    def heal(self):
        with self.lock:
            self.faults.clear()

    def spent(self):
        return all(count == 0 for _, count, _ in self.faults)

    def disconnect(self):
        """Whoever is connected has to come again."""
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def due(self, carries):
        """The fault that meets this request."""
        with self.lock:
            for fault in self.faults:
                if fault[1] > 0 and (carries or not fault[2]):
                    fault[1] -= 1
                    return fault[0]
        return None

    def converse(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        if self.faults and self.faults[0][0] == "accept" and self.due(True):
            reset(connection)
            return
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    return
                head += line
            length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
            first = stream.read(length // 2)
            # What it carries shows in its first half.
            fault = self.due(b'"rows":' in first)
            if fault in ("headers", "half_request"):
                raise Broken(connection)
            body = first + stream.read(length - len(first))
            if len(body) < length:  # whoever sent it is gone
                return
            self.bytes += len(body)
            self.requests += 1
            if fault == "request":
                raise Broken(connection)
            if callable(fault):
                fault(self, connection, body)
                return
            if self.delay:
                time.sleep(self.delay)
            answer = json.dumps(self.apply(json.loads(body))).encode()
            whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
            if fault == "applied":
                raise Broken(connection)
            if fault == "half_head":
                connection.sendall(whole[:20])
                raise Broken(connection)
            if fault == "half_answer":
                connection.sendall(whole[:-len(answer) // 2])
                raise Broken(connection)
            connection.sendall(whole)

    def apply(self, request):
        """All statements of a request or none, as in a transaction."""
        with self.lock:
            for statement in request["statements"]:
                for row in statement["parameters"].get("rows", ()):
                    document = row["p"] if isinstance(row, dict) else {"_key": row}
                    if self.refusing.search(json.dumps(document, ensure_ascii=False)):
                        return {"results": [], "errors": [{"code": "Neo.ClientError.Statement.TypeError", "message": "it is refused"}]}
            return {"results": [self.execute(**statement) for statement in request["statements"]], "errors": []}

    def execute(self, statement, parameters):
        if statement.startswith(("CREATE CONSTRAINT", "CREATE INDEX")):
            return {"columns": [], "data": []}
        if statement.startswith("CALL dbms.components"):
            return result(["version", "edition"], [["5.26.0", "community"]])
        source = LABEL.search(statement).group(1)
        if statement.startswith("UNWIND"):
            self.times.append(time.monotonic())
            removal = statement.startswith("UNWIND $rows AS key")
            rows = [(row, parameters["v"], None) if removal else (row["p"]["_key"], row["p"]["_v"], row["p"].get("seq", 0)) for row in parameters["rows"]]
            newer = [held for held in (self.write(source, *row) for row in rows) if held is not None]
            return result(["applied", "newer"], [[len(rows) - len(newer), max(newer, default=None)]])
        if "RETURN n._key AS key" in statement:
            after = parameters["after"]
            begin = (lambda key: key >= after) if ">= $after" in statement else (lambda key: key > after)
            keys = sorted(key for (held, key), row in self.rows.items() if held == source and row.number is not None and begin(key))
            return result(["key"], [[key] for key in keys[:parameters["limit"]]])
        return result(["count"], [[0]])

    def write(self, source, key, version, number):
        """The version that stands in the way, or None."""
        place = source, key
        held = self.rows.get(place)
        newer = held is not None and held.version >= version
        self.journal.note(place, version, number, not newer)
        if newer:
            return held.version
        self.rows[place] = Row(version, number)
        return None

    def held(self, source="public.things"):
        """Key to number of all that is there."""
        with self.lock:
            return {key: row.number for (of, key), row in self.rows.items() if of == source and row.number is not None}


class Broken(Exception):
    """The connection is reset; whoever waits for an answer learns nothing."""

    def __init__(self, connection):
        super().__init__()
        reset(connection)


def reset(connection):
    """RST instead of FIN, whoever else still holds a reference."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def result(columns, rows):
    return {"columns": columns, "data": [{"row": row} for row in rows]}


def saying(body, status="200 OK", headers="", kind="application/json"):
    """A fault: this answer, whatever was asked."""
    def say(_graph, connection, _request):
        text = body if isinstance(body, bytes) else body.encode()
        connection.sendall(("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (status, kind, len(text), headers)).encode() + text)
        connection.close()
    return say


def bomb(size=1 << 30):
    """A fault: an answer that is a thousand times larger than it looks."""
    packed = gzip.compress(b" " * (size >> 6))

    def say(_graph, connection, _request):
        # Members of a gzip stream follow each other.
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (len(packed) * 64))
        for _ in range(64):
            connection.sendall(packed)
        connection.close()
    return say


def endless(_graph, connection, _request):
    """A fault: an answer that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        connection.sendall(chunk)


def deep(depth=1_000_000):
    """A fault: an answer that is nested so deep."""
    return saying(b'{"results":' + b"[" * depth + b"]" * depth + b',"errors":[]}')


def hanging(_graph, connection, _request):
    """A fault: no answer, until the other side gives up."""
    with contextlib.suppress(OSError):
        connection.recv(1)


def dripping(seconds=20):
    """A fault: a byte now and then (slow loris)."""
    def say(_graph, connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.sendall(b" ")
            time.sleep(0.2)
        connection.close()
    return say
