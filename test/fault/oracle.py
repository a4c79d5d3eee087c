"""Who writes, and what has to come of it: each row carries the number of its state, each writer knows what PostgreSQL has confirmed, and the journal
of the target tells what arrived. Nothing of that lies in PostgreSQL."""
import dataclasses
import itertools
import random
import threading
import time

import psycopg2

# A grave tells what number a deletion had.
TABLE = "CREATE TABLE things (id int PRIMARY KEY, seq bigint NOT NULL, pad text); CREATE TABLE graves (id int PRIMARY KEY, seq bigint NOT NULL)"
numbers = itertools.count(1)  # rise through all writers of a run, also where they follow each other on the same keys
# An error without a code: no server has sent it, it was killed.
GONE = ("57P01", "57P02", "57P03", None)


class Stamper(threading.Thread):
    """One session with keys of its own: their states have rising numbers, so what goes back in time shows."""

    def __init__(self, database, number, seed, keys=200, session="", pause=0.0, begin="BEGIN", gate=None):
        super().__init__(daemon=True)
        self.database = database
        self.random = random.Random(seed * 1009 + number)
        self.keys = range(number * 1_000_000, number * 1_000_000 + keys)
        self.session = session
        self.pause = pause
        self.begin = begin
        self.number = numbers
        self.confirmed = {}  # key: the number of the last state that PostgreSQL has confirmed; None: deleted
        self.doubtful = {}  # key: states of a transaction of which nobody knows whether it has committed
        self.committed = self.changes = 0
        self.disturbed = []  # errors that a user without the extension would not have seen
        self.times = []  # seconds per transaction
        self.stopping = threading.Event()
        self.gate = gate or opened()  # closed: nobody writes, while the oracle compares
        self.parked = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            if not self.gate.is_set():
                self.parked.set()
                self.gate.wait(0.1)
                continue
            self.parked.clear()
            connection = None
            try:
                connection = self.database.connect()
                with connection.cursor() as cursor:
                    if self.session:
                        cursor.execute(self.session)
                    self.settle(cursor)
                    while self.gate.is_set() and not self.stopping.is_set():
                        self.transaction(cursor)
                        if self.pause:
                            time.sleep(self.pause)
            except psycopg2.Error as error:
                if error.pgcode not in GONE:
                    self.disturbed.append(repr(error))
                time.sleep(0.05)
            finally:
                if connection is not None:
                    connection.close()

    def settle(self, cursor):
        """What the crash has left of the transaction that was under way: its rows tell."""
        if self.doubtful:
            cursor.execute("SELECT id, seq FROM things WHERE id = ANY(%s)", (list(self.doubtful),))
            there = dict(cursor.fetchall())
            for key in self.doubtful:
                self.confirmed[key] = there.get(key)
            self.doubtful.clear()

    def transaction(self, cursor):
        draw = self.random
        states = {}
        fate = draw.random()
        began = time.monotonic()
        cursor.execute(self.begin)
        for _ in range(draw.choice((1, 1, 1, 2, 5, 20))):
            key = draw.choice(self.keys)
            undone = draw.random() < 0.1
            if undone:
                cursor.execute("SAVEPOINT s")
            if draw.random() < 0.2:
                cursor.execute("DELETE FROM things WHERE id = %s", (key,))
                cursor.execute("INSERT INTO graves VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq", (key, next(self.number)))
                state = None
            else:
                state = next(self.number)
                cursor.execute("INSERT INTO things VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, pad = excluded.pad",
                               (key, state, "x" * draw.choice((0, 10, 200))))
            if undone:
                cursor.execute("ROLLBACK TO s")
            else:
                states[key] = state
        if fate < 0.1:
            cursor.execute("ROLLBACK")
            return
        self.doubtful = {key: (self.confirmed.get(key), state) for key, state in states.items()}
        cursor.execute("COMMIT")
        self.times.append(time.monotonic() - began)
        self.confirmed.update(states)
        self.doubtful = {}
        self.committed += 1
        self.changes += len(states)


def opened():
    gate = threading.Event()
    gate.set()
    return gate


@dataclasses.dataclass
class Verdict:
    """What the oracle counts. lost: keys whose final state differs (L); duplicates (D); inversions (O); restarts that nobody has planned (X);
    disturbed transactions of users (B); forgotten: confirmed commits that PostgreSQL itself does not have; ahead: states at the target that
    PostgreSQL has lost."""
    kills: int = 0
    events: int = 0
    commits: int = 0
    lost: int = 0
    duplicates: int = 0
    inversions: int = 0
    restarts: int = 0
    disturbed: int = 0
    forgotten: int = 0
    ahead: int = 0

    def add(self, other):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def faultless(self):
        return self.lost == self.inversions == self.restarts == self.disturbed == self.forgotten == self.ahead == 0

    def __str__(self):
        return "%d kills, %d events, %d lost, %d duplicates, %d inversions, %d unplanned restarts, %d disturbed, %d forgotten, %d ahead" % (
            self.kills, self.events, self.lost, self.duplicates, self.inversions, self.restarts, self.disturbed, self.forgotten, self.ahead)


def rows_of(database, table="things"):
    return {str(key): number for key, number in database.execute("SELECT id, seq FROM " + table)}


def differences(database, graph, table="things"):
    """Full compare of rows and target: what each side has that the other one has not."""
    rows, held = rows_of(database, table), graph.held("public." + table)
    return {key: (rows.get(key), held.get(key)) for key in rows.keys() | held.keys() if rows.get(key) != held.get(key)}


def ahead(database, graph):
    """What the target has got and PostgreSQL no longer has: to be asked after a crash, before anybody writes."""
    newest = {str(key): number for key, number in database.execute("SELECT id, max(seq) FROM (TABLE graves UNION ALL SELECT id, seq FROM things) AS s GROUP BY id")}
    return {key: (newest.get(key), number) for key, number in graph.held().items() if number > newest.get(key, -1)}


def forgotten(database, writers):
    """Confirmed states that are not there. Of a transaction under way at the crash either all is there or nothing."""
    rows = rows_of(database)
    missing = {}
    for writer in writers:
        for key, state in writer.confirmed.items():
            if rows.get(str(key)) != state and key not in writer.doubtful:
                missing[key] = (state, rows.get(str(key)))
        taken = {rows.get(str(key)) == after for key, (before, after) in writer.doubtful.items() if before != after}
        if len(taken) > 1:
            missing[writer.name] = dict(writer.doubtful)
    return missing


def judge(database, graph, writers=(), kills=0, planned=0, crashes=0):
    """The verdict once everything has been delivered."""
    return Verdict(kills=kills, events=graph.journal.events, commits=sum(w.committed for w in writers), lost=len(differences(database, graph)),
                   duplicates=graph.journal.duplicates, inversions=graph.journal.inversions, restarts=crashes - planned,
                   disturbed=sum(len(w.disturbed) for w in writers))
