"""What records are made of beside their rows: what others have made of them, blobs, references to other rows, against a real PDS."""
import hashlib
import base64
import json

import psycopg2
import pytest

from test_atproto import wait_for
from test_options import Listener

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def raw_cid(content):
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + hashlib.sha256(content).digest()).decode().lower().rstrip("=")


@pytest.fixture(scope="module")
def social(database, pds, proxy):
    database.execute("SELECT autosync.add_target('social', %s, '{\"retry_initial_delay\": \"200ms\", \"retry_max_delay\": \"1s\"}')",
                     proxy.url.replace("http:", "atproto:"))
    for account in pds.accounts[:2]:
        database.execute("SELECT autosync.atp_login(%s, %s, 'social')", account["handle"], account["password"])
    return database


@pytest.fixture(scope="module")
def tokens(pds):
    return {account["did"]: pds.ask("com.atproto.server.createSession", {"identifier": account["handle"], "password": account["password"]})["accessJwt"]
            for account in pds.accounts[:2]}


def arrived(social):
    social.wait_delivered("social", 30)


def texts(pds, did, collection):
    return {rkey: value.get("text") for rkey, (_, value) in pds.records(did, collection).items()}


def test_what_somebody_else_has_made_of_a_record_stays_where_the_target_wins(social, pds, tokens):
    """By the CID that the repository confirmed last: an edit, a removal and a record that was there first are somebody else's."""
    mine, nsid = pds.dids[0], "com.example.kept.note"
    with pytest.raises(psycopg2.Error, match="conflict"):
        social.execute("CREATE TABLE refused (id int PRIMARY KEY, did text); SELECT autosync.add_sync('refused', 'social', '{\"collection\": \"com.example.x\", \"conflict\": \"merge\"}')")
    social.execute("CREATE TABLE notes (id int PRIMARY KEY, did text, text text, uri text)")
    social.execute("""SELECT autosync.add_sync('notes', 'social', '{"collection": "%s", "rkey": "key", "conflict": "Target_Wins", "notify": true, "columns": ["did", "text"], "uri_column": "uri"}')""" % nsid)
    pds.ask("com.atproto.repo.createRecord", {"repo": mine, "collection": nsid, "rkey": "9", "record": {"$type": nsid, "text": "was there first"}}, token=tokens[mine])
    listener = Listener(social)
    social.execute("INSERT INTO notes SELECT i, %s, 'row' FROM generate_series(1, 9) i", mine)
    arrived(social)
    assert texts(pds, mine, nsid) == {**{str(i): "row" for i in range(1, 9)}, "9": "was there first"}
    put = lambda rkey: pds.ask("com.atproto.repo.putRecord", {"repo": mine, "collection": nsid, "rkey": rkey, "record": {"$type": nsid, "text": "other"}}, token=tokens[mine])
    for rkey in "1234":
        put(rkey)
    pds.ask("com.atproto.repo.deleteRecord", {"repo": mine, "collection": nsid, "rkey": "5"}, token=tokens[mine])
    social.execute("UPDATE notes SET text = 'newer' WHERE id IN (1, 5, 6, 9); DELETE FROM notes WHERE id IN (2, 7)")
    arrived(social)
    wanted = {"1": "other", "2": "other", "3": "other", "4": "other", "6": "newer", "8": "row", "9": "was there first"}
    assert texts(pds, mine, nsid) == wanted
    assert social.value("SELECT count(*) FROM autosync.exceptions") == 0, "that is completed"
    assert social.value("SELECT autosync.atp_cid('notes', '1')") == pds.records(mine, nsid)["1"][0]
    assert not social.value("SELECT autosync.has_atp_record('notes', '5')") and social.value("SELECT uri FROM notes WHERE id = 5") is None
    told = listener.heard(14)  # once each
    assert sorted((event["event"], event["key"]) for event in told) == sorted(
        [("conflict_detected", key) for key in "1259"] + [("record_published", key) for key in "123456786"] + [("record_unpublished", "7")])
    conflicts = {event["key"]: event for event in told if event["event"] == "conflict_detected"}
    assert conflicts["1"] == {"event": "conflict_detected", "target": "social", "source": "public.notes", "key": "1", "did": mine, "uri": "at://%s/%s/1" % (mine, nsid)}
    # It stays so, whatever asks; what was not touched goes on.
    social.execute("UPDATE notes SET text = 'newest' WHERE id IN (1, 6); SELECT autosync.publish('notes', '1'); SELECT autosync.backfill('notes', 'social')")
    arrived(social)
    wait_for(lambda: texts(pds, mine, nsid) == {**wanted, "6": "newest"})
    social.execute("SELECT autosync.unpublish('notes', '9')")  # that is meant, whoever has had a hand in it
    wait_for(lambda: "9" not in texts(pds, mine, nsid))
    social.execute("""SELECT autosync.alter_sync('notes', 'social', '{"conflict": "source_wins"}')""")
    arrived(social)
    social.execute("SELECT autosync.backfill('notes', 'social')")
    wait_for(lambda: texts(pds, mine, nsid) == {"1": "newest", "2": "other", "3": "other", "4": "other", "5": "newer", "6": "newest", "8": "row", "9": "newer"})
    social.execute("SELECT autosync.publish('notes', '3')")  # which asks the repository
    wait_for(lambda: texts(pds, mine, nsid)["3"] == "row")


def test_an_answer_that_got_lost_is_no_edit_by_somebody_else(social, pds, proxy):
    mine, nsid = pds.dids[0], "com.example.lost.note"
    social.execute("CREATE TABLE losses (id int PRIMARY KEY, did text, text text)")
    social.execute("""SELECT autosync.add_sync('losses', 'social', '{"collection": "%s", "rkey": "key", "conflict": "target_wins", "columns": ["did", "text"]}')""" % nsid)
    social.execute("INSERT INTO losses VALUES (1, %s, 'first')", mine)
    arrived(social)
    lost = []

    def lose(method):
        if method == "putRecord" and not lost:
            lost.append(method)
            social.execute("UPDATE losses SET text = 'third'")  # a newer state comes before the answer would be looked for
            return True
        return False

    proxy.before_answer = lose
    social.execute("UPDATE losses SET text = 'second'")
    wait_for(lambda: lost and texts(pds, mine, nsid) == {"1": "third"})
    proxy.before_answer = None
    arrived(social)
    assert not social.value("SELECT kept FROM autosync.atp_map WHERE source = 'losses'::regclass")


def test_blobs_are_uploaded_once_and_referred_to(social, pds, proxy):
    mine, other = pds.dids
    nsid = "com.example.blob.card"
    social.execute("""CREATE TABLE cards (id int PRIMARY KEY, did text, text text, picture bytea, sound bytea, sound_type text);
        CREATE FUNCTION card_to_record(cards) RETURNS jsonb LANGUAGE sql STABLE AS $$SELECT jsonb_build_object('text', $1.text, 'embed',
            jsonb_build_object('images', jsonb_build_array(jsonb_build_object('alt', 'a picture'))))$$""")
    social.execute("""SELECT autosync.add_sync('cards', 'social', '{"collection": "%s", "rkey": "key", "transform": "card_to_record",
        "blob": {"picture": {"field": "embed.images[0].image", "max_size": 10000000}, "sound": {"field": "sound", "type": "sound_type", "max_size": 1000}}}')""" % nsid)
    social.execute("INSERT INTO cards VALUES (1, %s, 'one', %s, 'hello', 'audio/x-own'), (2, %s, 'no picture', NULL, NULL, NULL)", mine, psycopg2.Binary(PNG), mine)
    arrived(social)
    held = pds.records(mine, nsid)
    image = held["1"][1]["embed"]["images"][0]
    assert image == {"alt": "a picture", "image": {"$type": "blob", "ref": {"$link": raw_cid(PNG)}, "mimeType": "image/png", "size": len(PNG)}}
    assert held["1"][1]["sound"]["ref"] == {"$link": raw_cid(b"hello")} and held["1"][1]["sound"]["mimeType"] == "audio/x-own"
    assert "image" not in held["2"][1]["embed"]["images"][0]
    assert dict(social.execute("SELECT rkey, cid FROM autosync.atp_records WHERE source = 'cards'::regclass")) == {rkey: cid for rkey, (cid, _) in held.items()}
    assert proxy.count("uploadBlob") == 2
    # The same bytes again: in an edit, in another row, never in vain; in another repository they are needed.
    social.execute("UPDATE cards SET text = 'edited' WHERE id = 1")
    social.execute("INSERT INTO cards SELECT i, %s, 'same', %s, NULL, NULL FROM generate_series(10, 30) i", mine, psycopg2.Binary(PNG))
    arrived(social)
    assert proxy.count("uploadBlob") == 2 and len(pds.records(mine, nsid)) == 23
    assert pds.records(mine, nsid)["10"][1]["embed"]["images"][0] == image
    social.execute("UPDATE cards SET did = %s WHERE id = 10", other)
    arrived(social)
    assert proxy.count("uploadBlob") == 3
    assert pds.records(other, nsid)["10"][1]["embed"]["images"][0] == image
    # Gone with the last record that referred to it: what the map still says is found to be wrong, and it is uploaded anew.
    social.execute("DELETE FROM cards WHERE did = %s", other)
    arrived(social)
    social.execute("""INSERT INTO autosync.atp_map (instance, target, source, key, did, collection, rkey, confirmed, blobs, created_at)
        SELECT instance, target, source, 'stale', %s, collection, 'stale', true, %s, now() FROM autosync.atp_map WHERE source = 'cards'::regclass LIMIT 1""",
                   other, json.dumps({raw_cid(PNG): "image/gif"}))
    social.execute("INSERT INTO cards VALUES (40, %s, 'again', %s, NULL, NULL), (41, %s, 'again', %s, NULL, NULL)", other, psycopg2.Binary(PNG), other, psycopg2.Binary(PNG))
    arrived(social)
    assert [pds.records(other, nsid)[rkey][1]["embed"]["images"][0] for rkey in ("40", "41")] == [image, image]
    social.execute("DELETE FROM autosync.atp_map WHERE key = 'stale'")
    # What cannot be sent says which field it is.
    social.execute("ALTER SERVER social OPTIONS (ADD max_attempts '1')")
    social.execute("INSERT INTO cards VALUES (50, %s, 'too long', NULL, %s, 'audio/mpeg')", mine, psycopg2.Binary(b"x" * 1001))
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.failed_events") == 1)
    assert social.value("SELECT last_error FROM autosync.failed_events") == 'field "sound" is a blob of 1001 bytes, and 1000 are allowed (max_size)'
    social.execute("UPDATE cards SET sound = NULL, picture = %s WHERE id = 50", psycopg2.Binary(b"x" * 5242880 + b"y"))  # beyond what this server takes
    wait_for(lambda: 'field "embed.images[0].image": PayloadTooLarge' in (social.value("SELECT max(last_error) FROM autosync.failed_events") or ""))
    assert [method for (method,) in social.execute("SELECT url FROM autosync.preview('cards', '2', 'social')")][0].endswith("putRecord")
    social.execute("DELETE FROM cards WHERE id = 50; ALTER SERVER social OPTIONS (DROP max_attempts)")
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.exceptions") == 0)


def test_a_reply_waits_for_what_it_replies_to(social, pds, tokens):
    mine, other = pds.dids
    nsid = "com.example.thread.post"
    social.execute("""CREATE TABLE talks (id int PRIMARY KEY, did text, text text, reply_to int REFERENCES talks, shown bool NOT NULL DEFAULT true);
        CREATE TABLE likes (id int PRIMARY KEY, did text, talk int REFERENCES talks)""")
    social.execute("""SELECT autosync.add_sync('talks', 'social', '{"collection": "%s", "columns": ["did", "text", "reply_to"], "reply": "reply_to", "filter": "shown"}');
        SELECT autosync.add_sync('likes', 'social', '{"collection": "com.example.thread.like", "subject": "talk", "columns": ["did"]}')""" % nsid)
    with pytest.raises(psycopg2.Error, match="foreign key"):
        social.execute("""SELECT autosync.alter_sync('likes', 'social', '{"subject": "did"}')""")
    # All in one go: each comes after the one it needs.
    social.execute("INSERT INTO talks VALUES (1, %s, 'root', NULL), (2, %s, 'answer', 1), (3, %s, 'answer to the answer', 2); INSERT INTO likes VALUES (1, %s, 2)", mine, other, mine, mine)
    arrived(social)
    reference = dict((int(key), {"uri": uri, "cid": cid}) for key, uri, cid in social.execute("SELECT key, uri, cid FROM autosync.atp_records WHERE source = 'talks'::regclass"))
    held = {value["text"]: value for did in pds.dids for _, value in pds.records(did, nsid).values()}
    assert "reply" not in held["root"] and "reply_to" not in held["answer"]
    assert held["answer"]["reply"] == {"root": reference[1], "parent": reference[1]}
    assert held["answer to the answer"]["reply"] == {"root": reference[1], "parent": reference[2]}
    assert [value["subject"] for _, value in pds.records(mine, "com.example.thread.like").values()] == [reference[2]]
    # An edit of what is referred to changes no reference, also when the child is sent again.
    social.execute("UPDATE talks SET text = 'root, edited' WHERE id = 1")
    arrived(social)
    social.execute("UPDATE talks SET text = 'answer, edited' WHERE id = 2")
    arrived(social)
    assert [value["reply"]["parent"] for _, value in pds.records(other, nsid).values() if value["text"] == "answer, edited"] == [reference[1]]
    # Not there yet: it waits, says for what, and comes at once when that has come.
    social.execute("INSERT INTO talks VALUES (10, %s, 'hidden', NULL, false), (11, %s, 'early', 10, true)", mine, other)
    wait_for(lambda: social.value("SELECT max(last_error) FROM autosync.exceptions") == 'row 10 of public.talks, to which field "reply" refers, has no record yet')
    assert "has no record yet" in social.value("SELECT reason FROM autosync.why('talks', '11', 'social')")
    with pytest.raises(psycopg2.Error, match="has no record yet"):
        social.execute("SELECT autosync.to_atp_record('talks', '11')")
    assert social.value("SELECT status FROM autosync.event_log WHERE entity_id = '11' AND source = 'public.talks'") == "PENDING"
    social.execute("UPDATE talks SET shown = true WHERE id = 10")
    arrived(social)
    assert {"hidden", "early"} <= {value["text"] for did in pds.dids for _, value in pds.records(did, nsid).values()}
    # For a time; then it is a dead letter that says why, and is still released by what it waited for.
    social.execute("ALTER SERVER social OPTIONS (ADD pending_ttl '1s')")
    social.execute("INSERT INTO talks VALUES (20, %s, 'never', NULL, false), (21, %s, 'in vain', 20, true)", mine, other)
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.failed_events") == 1)
    assert "has no record yet" in social.value("SELECT last_error FROM autosync.failed_events")
    social.execute("UPDATE talks SET shown = true WHERE id = 20; ALTER SERVER social OPTIONS (DROP pending_ttl)")
    wait_for(lambda: "in vain" in {value["text"] for _, value in pds.records(other, nsid).values()})
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.exceptions") == 0)


def test_a_row_is_published_as_somebody_elses(social, pds):
    mine, other = pds.dids
    nsid = "com.example.given.note"
    social.execute("CREATE TABLE given (id int PRIMARY KEY, did text, text text)")
    social.execute("""SELECT autosync.add_sync('given', 'social', '{"collection": "%s", "columns": ["text"]}')""" % nsid)
    social.execute("INSERT INTO given VALUES (1, %s, 'mine'), (2, NULL, 'nobody''s')", mine)
    arrived(social)
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match="no DID"):
        social.execute("SELECT autosync.publish_as('given', '1', 'nobody')")
    social.execute("SELECT autosync.publish_as('given', '1', %s), autosync.publish_as('given', '2', %s)", other, mine)
    arrived(social)
    assert sorted(texts(pds, other, nsid).values()) == ["mine"] and sorted(texts(pds, mine, nsid).values()) == ["nobody's"]
    social.execute("UPDATE given SET text = text || ', edited'")
    arrived(social)
    assert list(texts(pds, other, nsid).values()) == ["mine, edited"] and list(texts(pds, mine, nsid).values()) == ["nobody's, edited"]
    assert social.value("SELECT autosync.atp_uri('given', '1')").startswith("at://" + other)
    social.execute("SELECT autosync.publish_as('given', '1', NULL); DELETE FROM given WHERE id = 2")
    arrived(social)
    assert list(texts(pds, mine, nsid).values()) == ["mine, edited"] and texts(pds, other, nsid) == {}
    assert social.value("SELECT count(*) FROM autosync.atp_owners") == 0, "a row that comes again is its own"
