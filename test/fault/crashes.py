"""The server crashes again and again under writers, and comes back. Seeded: the same seed kills after the same pauses, and writers draw the same."""
import random
import time

import psycopg2

from oracle import Stamper, Verdict, ahead, differences, forgotten, opened


def back(database, timeout=60):
    """Waits until the server takes connections again."""
    deadline = time.monotonic() + timeout
    while True:
        database.connection = None
        try:
            if database.value("SELECT NOT pg_is_in_recovery()"):
                return
        except psycopg2.OperationalError:
            pass
        assert time.monotonic() < deadline, "the server is not back"
        time.sleep(0.02)


class Storm:
    """Writers who hold still while the oracle looks."""

    def __init__(self, database, graph, seed, writers, session="", pause=0.002, keys=200):
        self.database, self.graph = database, graph
        self.gate = opened()
        self.writers = [Stamper(database, number, seed, keys=keys, session=session, pause=pause, gate=self.gate) for number in range(writers)]
        for writer in self.writers:
            writer.start()

    def hold(self):
        self.gate.clear()
        for writer in self.writers:
            assert writer.parked.wait(60), "a writer does not hold still"

    def go_on(self):
        for writer in self.writers:
            writer.parked.clear()
        self.gate.set()

    def end(self):
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join()


def crash(storm, server, how):
    if how == "kill":
        server.kill()
    else:
        server.stop(how)
    storm.hold()
    server.start()
    back(storm.database)


def crash_loop(storm, server, seed, kills, durable=True, longest=0.8, compare_every=3, hows=("kill", "kill", "immediate", "fast")):
    """After each crash what it adds to the verdict. `durable`: what is confirmed has to be there."""
    draw = random.Random(seed)
    for kill in range(1, kills + 1):
        time.sleep(0.1 + draw.random() * longest)
        verdict = Verdict(kills=1)
        crash(storm, server, draw.choice(hows))
        time.sleep(0.05)  # a request that was under way may still be applied
        verdict.ahead = len(ahead(storm.database, storm.graph))
        if durable:
            verdict.forgotten = len(forgotten(storm.database, storm.writers))
        if kill % compare_every == 0 or kill == kills:
            storm.database.wait_delivered(timeout=120)
            verdict.lost = len(differences(storm.database, storm.graph))
        storm.go_on()
        yield verdict
