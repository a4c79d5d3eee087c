"""What goes wrong between a table and its vectors: each failure by its own rule, and afterwards the collection is what the table says."""
import itertools
import json
import random
import threading
import time

import pytest

from vectors import Declared, Scene, refusal

NOTES = Declared("notes", ["title", "body"], ["title", "price"])
number = itertools.count(1)


@pytest.fixture(scope="module")
def scene(database, qdrant, embedder):
    qdrant.clear()
    embedder.control()
    scene = Scene(database, qdrant, embedder)
    database.execute("CREATE TABLE notes (id int PRIMARY KEY, title text, body text, price int)")
    scene.target()
    scene.sync("notes", embed=["title", "body"], payload=["title", "price"])
    scene.arrive()
    return scene


@pytest.fixture
def impatient(scene):
    """Where somebody hangs, and nowhere else: on a busy machine an answer may take as long."""
    scene.database.execute("ALTER SERVER vectors OPTIONS (ADD request_timeout '4s')")
    yield
    scene.database.execute("ALTER SERVER vectors OPTIONS (DROP request_timeout)")


@pytest.fixture(autouse=True)
def good_health(scene, qdrant, embedder):
    qdrant.start()
    embedder.start()
    qdrant.fault()
    embedder.control()
    yield
    qdrant.start()
    embedder.start()
    qdrant.fault()
    embedder.control()
    scene.database.execute("SELECT autosync.retry('vectors')")  # what one test leaves behind fails no other


def write(scene, rows=5, text="note"):
    """New rows with texts that nobody has seen; their keys."""
    keys = [next(number) for _ in range(rows)]
    for key in keys:
        scene.database.execute("INSERT INTO notes VALUES (%s, %s, 'written for a test', %s)", key, "%s %d" % (text, key), key)
    return keys


def recovered(scene):
    scene.arrive()
    assert scene.differences(NOTES) == []
    assert scene.letters("notes") == {}
    scene.wait_for_state("active")  # what has arrived is written down before that


@pytest.mark.parametrize("control", [{"shuffle": True}, {"base64": True}, {"shuffle": True, "base64": True}, {"max_inputs": 3}, {"max_request_tokens": 40}],
                         ids=lambda control: "+".join(control))
def test_answers_may_take_any_allowed_form(scene, control):
    scene.embedder.control(**control)
    scene.database.execute("SELECT autosync.pause('vectors')")
    write(scene, 20, "any form")
    scene.database.execute("SELECT autosync.resume('vectors')")
    scene.arrive()
    scene.embedder.control()
    recovered(scene)


@pytest.mark.parametrize("control", [{"status": 500}, {"status": 503, "retry_after": 1}, {"drop": True}], ids=["500", "503", "dropped"])
def test_an_embedder_that_fails_is_asked_again(scene, control):
    with scene.spent() as spent:
        scene.embedder.control(count=3, **control)
        write(scene)
        recovered(scene)
    assert spent["inputs"] == 5 and spent["repeated"] == 0


@pytest.mark.parametrize("spoil", ["count", "size", "infinite", "json"])
def test_a_wrong_answer_is_never_stored(scene, spoil):
    scene.embedder.control(spoil=spoil)
    keys = write(scene, 3, "spoilt")
    if spoil == "infinite":  # its rows are refused, and given up after some attempts
        scene.until(lambda: set(scene.letters("notes")) == set(map(str, keys)), "the dead letters")
    else:
        scene.wait_for_state("unreachable")
    time.sleep(0.3)
    assert not set(keys) & set(scene.qdrant.points("notes"))
    scene.embedder.control()
    scene.database.execute("SELECT autosync.retry('vectors')")
    recovered(scene)


def test_a_full_minute_is_waited_for(scene):
    scene.embedder.control(count=1, status=429, code="rate_limit_exceeded", retry_after=6)
    began = time.monotonic()
    write(scene)
    scene.wait_for_state("backing_off")
    recovered(scene)
    assert 5.5 < time.monotonic() - began < 60


def test_the_reset_headers_are_obeyed_where_there_is_no_other(scene):
    scene.embedder.control(count=1, status=429, code="rate_limit_exceeded",
                           headers={"x-ratelimit-remaining-requests": 0, "x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "120ms"})
    with scene.spent() as spent:
        began = time.monotonic()
        write(scene)
        recovered(scene)
    assert 1.5 < time.monotonic() - began < 60
    assert spent["requests"] <= 7


def test_a_spent_quota_stops_and_says_so(scene):
    scene.embedder.control(count=1_000_000, status=429, code="insufficient_quota", type="insufficient_quota",
                           message="You exceeded your current quota, please check your plan and billing details.")
    began = time.monotonic()
    with scene.spent() as spent:
        write(scene)
        status = scene.wait_for_state("unauthorized")
        assert "quota" in status["last_error"]
        time.sleep(1)
    assert spent["requests"] < 10 + 4 * (time.monotonic() - began)  # with retry_max_delay two per second
    scene.embedder.control()
    recovered(scene)


def test_a_wrong_key_for_the_embedder_stops_and_says_so(scene):
    scene.database.execute("ALTER USER MAPPING FOR PUBLIC SERVER vectors OPTIONS (SET embed_api_key 'sk-wrong-and-secret')")
    write(scene)
    status = scene.wait_for_state("unauthorized")
    assert "Incorrect API key" in status["last_error"] and "sk-wrong-and-secret" not in json.dumps(status)
    scene.database.execute("ALTER USER MAPPING FOR PUBLIC SERVER vectors OPTIONS (SET embed_api_key '%s')" % scene.embedder.key)
    recovered(scene)


def test_an_embedder_that_hangs_is_given_up_and_asked_again(scene, impatient):
    scene.embedder.control(delay_ms=5000)  # longer than the target waits
    write(scene)
    scene.wait_for_state("unreachable", "backing_off")
    scene.embedder.control()
    recovered(scene)


def test_poison_parks_its_own_row_alone(scene):
    scene.embedder.control(poison="arsenic")
    with scene.spent() as spent:
        scene.database.execute("SELECT autosync.pause('vectors')")
        before, culprit = write(scene, 7, "food"), next(number)
        scene.database.execute("INSERT INTO notes VALUES (%s, 'food', 'with arsenic', 0)", culprit)
        keys = [*before, culprit, *write(scene, 22, "food")]
        scene.database.execute("SELECT autosync.resume('vectors')")
        scene.until(lambda: set(scene.letters("notes")) == {str(culprit)}, "the dead letter")
        scene.until(lambda: set(keys) - set(scene.qdrant.points("notes")) == {culprit}, "all the others")
    # What was embedded on the way to the culprit is kept.
    assert spent["inputs"] == 29 and spent["repeated"] == 0
    scene.wait_for_state("active")
    scene.database.execute("UPDATE notes SET body = 'with salt' WHERE id = %s", culprit)
    scene.until(lambda: scene.letters("notes") == {}, "a newer state that settles the dead letter")
    recovered(scene)


def test_a_text_that_is_too_long_is_parked_alone(scene):
    scene.embedder.control(max_tokens=50)
    keys = write(scene, 3)
    scene.database.execute("INSERT INTO notes VALUES (%s, 'too long', %s, 1)", next(number), "word " * 100)
    scene.until(lambda: len(scene.letters("notes")) == 1, "the dead letter")
    scene.until(lambda: set(keys) <= set(scene.qdrant.points("notes")), "all the others")
    scene.embedder.control()
    assert scene.database.value("SELECT autosync.retry('vectors')") == 1
    recovered(scene)


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after": 1}, {"status": 503}, {"status": 500, "after": True}, {"drop": True}, {"drop": True, "after": True},
                                   {"result": "wait_timeout"}], ids=["429", "503", "500 after", "dropped", "dropped after", "wait_timeout"])
def test_a_qdrant_that_fails_gets_everything_once_more(scene, fault):
    with scene.spent() as spent:
        scene.qdrant.fault(count=4, match="/points", **fault)
        keys = write(scene)
        scene.database.execute("DELETE FROM notes WHERE id = %s", keys[0])
        recovered(scene)
    assert spent["inputs"] <= 5 and spent["repeated"] == 0


def test_a_wrong_key_for_qdrant_stops_and_says_so(scene):
    scene.database.execute("ALTER USER MAPPING FOR PUBLIC SERVER vectors OPTIONS (SET api_key 'wrong-and-secret')")
    with scene.spent() as spent:
        write(scene)
        status = scene.wait_for_state("unauthorized")
    assert "wrong-and-secret" not in json.dumps(status) and spent["requests"] == 0
    scene.database.execute("ALTER USER MAPPING FOR PUBLIC SERVER vectors OPTIONS (SET api_key '%s')" % scene.qdrant.key)
    recovered(scene)


def test_a_qdrant_that_hangs_is_given_up_and_asked_again(scene, impatient):
    scene.qdrant.fault(count=2, match="/points", delay_ms=5000)
    write(scene)
    scene.wait_for_state("unreachable", "backing_off")
    scene.qdrant.fault()
    recovered(scene)


def test_a_body_that_is_too_large_is_halved(scene):
    scene.database.execute("SELECT autosync.pause('vectors')")
    write(scene, 60, "large body")
    scene.qdrant.fault(limit=100_000)  # of about 5,000 bytes a point
    with scene.spent() as spent:
        scene.database.execute("SELECT autosync.resume('vectors')")
        scene.until(lambda: len(scene.qdrant.points("notes")) == len(scene.rows(NOTES)), "all of them")
    assert spent["inputs"] == 60
    recovered(scene)


def test_a_point_that_qdrant_refuses_is_parked_alone(scene):
    """The fault comes for each request; a bisection ends at every single row, then the attempts are used up."""
    scene.qdrant.fault(count=1_000_000, match="/points/batch", status=400, error="Wrong input: of a kind that no retry mends")
    keys = write(scene, 3)
    scene.until(lambda: set(scene.letters("notes")) == {str(key) for key in keys}, "the dead letters")
    assert "of a kind that no retry mends" in scene.letters("notes")[str(keys[0])]["last_error"]
    scene.qdrant.fault()
    with scene.spent() as spent:
        assert scene.database.value("SELECT autosync.retry('vectors')") == 3
        recovered(scene)
    assert spent["inputs"] == 0


def test_a_collection_that_was_deleted_is_made_again(scene):
    name, = [alias["collection_name"] for alias in scene.qdrant.result("GET", "/aliases")["aliases"] if alias["alias_name"] == "notes"]
    scene.qdrant.result("DELETE", "/collections/" + name)
    keys = write(scene)
    scene.until(lambda: scene.qdrant.result("GET", "/collections/notes/exists")["exists"] and set(keys) <= set(scene.qdrant.points("notes")), "the new collection")
    scene.database.execute("SELECT autosync.backfill('notes', 'vectors')")
    recovered(scene)


def test_a_collection_of_another_size_is_left_alone(scene):
    scene.qdrant.result("PUT", "/collections/narrow", {"vectors": {"size": 4, "distance": "Cosine"}})
    scene.qdrant.result("PUT", "/collections/narrow/points?wait=true", {"points": [{"id": 1, "vector": [1, 2, 3, 4], "payload": {"mine": True}}]})
    database = scene.database
    database.execute("CREATE TABLE narrow (id int PRIMARY KEY, body text)")
    database.execute("INSERT INTO narrow VALUES (1, 'a text')")
    scene.sync("narrow", embed=["body"], dimensions=384)
    said = scene.until(lambda: [row for (row,) in database.execute("SELECT row_to_json(h)::text FROM autosync.health() h WHERE status <> 'ok'") if "narrow" in row]
                       or ["%s" % scene.status()["last_error"]] * ("narrow" in (scene.status()["last_error"] or "")), "a word about the size")
    assert "384" in said[0] and "4" in said[0]
    write(scene)
    scene.until(lambda: scene.differences(NOTES) == [], "the other table")  # it delays nobody
    assert scene.qdrant.points("narrow", with_vector=True)[1]["payload"] == {"mine": True}
    database.execute("SELECT autosync.drop_sync('narrow', 'vectors')")
    scene.arrive()


def test_a_hanging_embedder_delays_no_other_target(scene, graph):
    database = scene.database
    database.execute("CREATE SERVER trial FOREIGN DATA WRAPPER autosync_test")
    scene.sync("notes", "trial")
    database.add_graph(graph)
    scene.sync("notes", "graph")
    for target in ("trial", "graph"):
        scene.arrive(target)
    scene.embedder.control(delay_ms=600_000)  # nobody waits for that, nor until the request is given up
    for _ in range(3):
        key, = write(scene, 1, "in step")
        assert database.value("SELECT autosync.wait_delivered('trial', '30s')") and database.value("SELECT autosync.wait_delivered('graph', '30s')")
        assert graph.rows("MATCH (n:notes {id: %d}) RETURN n.price" % key) == [[key]]
        assert key not in scene.qdrant.points("notes")
    scene.embedder.kill()
    scene.embedder.start()
    recovered(scene)
    assert graph.rows("MATCH (n:notes) RETURN count(n)") == [[database.value("SELECT count(*) FROM notes")]]
    database.execute("SELECT autosync.drop_sync('notes', 'graph'); SELECT autosync.drop_sync('notes', 'trial')")


class Storm(threading.Thread):
    """Changes notes at random until it is told to stop."""

    WORDS = "snow ice coat scarf sun beach straw hammer nail tea coffee novel atlas".split()

    def __init__(self, scene, seed):
        super().__init__(daemon=True)
        self.connection = scene.database.connect()
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.committed = 0
        self.error = None

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                while not self.stopping.is_set():
                    self.change(cursor)
                    self.committed += 1
                    time.sleep(0.01)
        except Exception as error:  # told to whoever joins
            self.error = error
        finally:
            self.connection.close()

    def change(self, cursor):
        draw, key = self.random.random(), self.random.randrange(5000, 5200)
        text = " ".join(self.random.choices(self.WORDS, k=2))
        if draw < 0.5:
            cursor.execute("INSERT INTO notes VALUES (%s, %s, NULL, 0) ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title", (key, text))
        elif draw < 0.7:
            cursor.execute("UPDATE notes SET price = price + 1 WHERE id = %s", (key,))
        elif draw < 0.9:
            cursor.execute("DELETE FROM notes WHERE id = %s", (key,))
        elif draw < 0.95:
            cursor.execute("UPDATE notes SET title = '', body = NULL WHERE id = %s", (key,))
        else:
            cursor.execute("BEGIN; UPDATE notes SET title = 'never', price = -1 WHERE id = %d; ROLLBACK" % key)

    def finish(self):
        self.stopping.set()
        self.join()
        if self.error is not None:
            raise self.error


def test_both_killed_in_the_middle_of_a_storm(scene):
    storms = [Storm(scene, 11), Storm(scene, 12)]
    for storm in storms:
        storm.start()
    for part in (scene.qdrant, scene.embedder, scene.qdrant, scene.embedder):
        time.sleep(0.5)
        part.kill()
        time.sleep(0.3)
        part.start()
    time.sleep(0.5)
    scene.until(lambda: sum(storm.committed for storm in storms) > 200 or not all(storm.is_alive() for storm in storms), "changes")
    for storm in storms:
        storm.finish()
    assert sum(storm.committed for storm in storms) > 200
    recovered(scene)
    assert len(scene.qdrant.points("notes")) > 50


def test_a_comparison_sees_damage(scene):
    """Without this, a comparison that looks at nothing would pass all the others."""
    write(scene, 3)
    scene.arrive()
    keys = sorted(scene.rows(NOTES))[:3]
    scene.qdrant.result("POST", "/collections/notes/points/batch?wait=true", {"operations": [
        {"delete": {"points": [keys[0]]}}, {"set_payload": {"points": [keys[1]], "payload": {"price": -7}}},
        {"update_vectors": {"points": [{"id": keys[2], "vector": [1.0] + [0.0] * 383}]}}]})
    lines = " ".join(scene.differences(NOTES))
    assert "1 missing" in lines and "-7" in lines and "another vector" in lines
    scene.database.execute("SELECT autosync.discard('vectors')")


def test_a_target_without_an_embedder_says_so(scene):
    scene.target("mute", adopt=False, embed_url=None, model=None)
    error = refusal(scene.database, "SELECT autosync.add_sync('notes', 'mute', %s)", json.dumps({"embed": ["title"]}))
    assert "embed" in (error.diag.message_primary + (error.diag.message_detail or "") + (error.diag.message_hint or ""))
    scene.target("modest", adopt=False, model=None)
    error = refusal(scene.database, "SELECT autosync.add_sync('notes', 'modest', %s)", json.dumps({"embed": ["title"]}))
    assert "model" in (error.diag.message_primary + (error.diag.message_detail or "") + (error.diag.message_hint or ""))
