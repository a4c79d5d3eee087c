"""Rows that publish themselves, against a real PDS: whose record, which key, what is lost on the way, what waits for a session."""
import json
import pathlib
import random
import threading
import time

import psycopg2
import pytest

from pds import cid_of, secrets_in

POST = "com.example.blog.post"


@pytest.fixture(scope="module")
def social(database, pds, proxy):
    """A target with two identities signed in, and a table of posts."""
    database.execute("SELECT autosync.add_target('social', %s, '{\"retry_initial_delay\": \"200ms\", \"retry_max_delay\": \"1s\"}')",
                     proxy.url.replace("http:", "atproto:"))
    for account in pds.accounts[:2]:
        assert database.value("SELECT autosync.atp_login(%s, %s, 'social')", account["handle"], account["password"]) == account["did"]
    database.execute("""
        CREATE TABLE users (id int PRIMARY KEY, did text);
        CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users, status text NOT NULL DEFAULT 'published', body text, likes bigint,
                            score numeric, created_at timestamptz NOT NULL DEFAULT '2024-02-29 12:34:56.789+00', atp_uri text, atp_cid text);
        CREATE FUNCTION post_to_record(posts) RETURNS jsonb LANGUAGE sql STABLE AS
            $$SELECT jsonb_build_object('text', $1.body, 'likes', $1.likes, 'createdAt', to_char($1.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))$$
    """)
    for number, did in enumerate(pds.dids, 1):
        database.execute("INSERT INTO users VALUES (%s, %s)", number, did)
    database.execute("""SELECT autosync.add_sync('posts', 'social', '{"collection": "%s", "transform": "post_to_record",
        "filter": "status = ''published''", "uri_column": "atp_uri", "cid_column": "atp_cid"}')""" % POST)
    return database


def wait_for(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def expected(database):
    """(did, rkey) -> record, by the table alone."""
    rows = database.execute("""SELECT u.did, r.rkey, p.body, p.likes, to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        FROM posts p JOIN users u ON u.id = p.user_id LEFT JOIN autosync.atp_records r ON r.source = 'posts'::regclass AND r.key = p.id::text
        WHERE p.status = 'published' AND u.did IS NOT NULL""")
    assert all(row[1] for row in rows), "some rows have no record"
    return {(did, rkey): {"$type": POST, "text": body, "likes": likes, "createdAt": at} for did, rkey, body, likes, at in rows}


def compare(database, pds):
    """The repositories hold what the table says, record by record; identifiers are those computed here."""
    wanted = expected(database)
    held = {(did, rkey): record for did in pds.dids for rkey, record in pds.records(did, POST).items()}
    assert set(held) == set(wanted)
    for place, record in wanted.items():
        assert held[place] == (cid_of(record), record)
    mapped = database.execute("SELECT did, rkey, cid, uri, key::int FROM autosync.atp_records WHERE source = 'posts'::regclass")
    assert {(did, rkey): cid for did, rkey, cid, _, _ in mapped} == {place: cid for place, (cid, _) in held.items()}
    wait_for(lambda: dict(((key, (uri, cid)) for _, _, cid, uri, key in mapped))
             == {key: (uri, cid) for key, uri, cid in database.execute("SELECT id, atp_uri, atp_cid FROM posts WHERE atp_uri IS NOT NULL")}, 20)
    return held


def test_publish_edit_delete(social, pds):
    social.execute("INSERT INTO posts (id, user_id, body, likes) VALUES (1, 1, 'first «ö😀»', 9007199254740991), (2, 2, 'second', 0), (3, 1, 'third', -5)")
    social.wait_delivered("social", 45)
    held = compare(social, pds)
    assert len(held) == 3
    assert social.execute("SELECT * FROM posts, autosync.diff('posts', posts.id::text, 'social')") == []
    assert social.value("SELECT state FROM autosync.why('posts', '1', 'social')") == "delivered"
    social.execute("SELECT autosync.pause('social'); UPDATE posts SET body = 'pending' WHERE id = 2")
    assert social.execute("SELECT * FROM autosync.diff('posts', '2', 'social')") == [("text", "pending", "second")]
    social.execute("SELECT autosync.resume('social')")
    social.execute("UPDATE posts SET body = 'edited' WHERE id = 1; DELETE FROM posts WHERE id = 3")
    social.wait_delivered("social", 45)
    after = compare(social, pds)
    assert len(after) == 2 and set(after) < set(held), "an edit keeps the record's key"
    uri = social.value("SELECT autosync.atp_uri('posts', '1')")
    assert uri.startswith("at://%s/%s/" % (pds.dids[0], POST))
    assert social.value("SELECT autosync.atp_cid('posts', '1')") == pds.records(pds.dids[0], POST)[uri.rsplit("/", 1)[1]][0]
    assert social.value("SELECT autosync.has_atp_record('posts', '1')") and not social.value("SELECT autosync.has_atp_record('posts', '3')")
    assert social.value("SELECT autosync.to_atp_record('posts', '1')")["text"] == "edited"


def test_what_is_rolled_back_never_was(social, pds):
    before = compare(social, pds)
    with social.connect() as session, session.cursor() as cursor:
        session.autocommit = False
        cursor.execute("BEGIN; INSERT INTO posts (id, user_id, body) VALUES (99, 1, 'never'); UPDATE posts SET body = 'never' WHERE id = 1; ROLLBACK")
    social.wait_delivered("social", 45)
    assert compare(social, pds) == before


def test_the_row_knows_and_nothing_is_sent_for_it(social, pds, proxy):
    social.execute("UPDATE posts SET body = 'once more' WHERE id = 1")
    social.wait_delivered("social", 45)
    compare(social, pds)
    sent = len(proxy.seen)
    time.sleep(1.5)
    assert len(proxy.seen) == sent, "writing the URI back is no change"
    social.execute("UPDATE posts SET body = 'once more' WHERE id = 1; UPDATE posts SET score = 1 WHERE id = 1")
    social.wait_delivered("social", 45)
    assert len(proxy.seen) == sent, "a record that is as it should be costs no points"


def test_filtered_rows_are_unpublished(social, pds):
    social.execute("INSERT INTO posts (id, user_id, body, status) VALUES (10, 1, 'draft', 'draft'), (11, 1, 'out', 'published')")
    social.wait_delivered("social", 45)
    compare(social, pds)
    social.execute("UPDATE posts SET status = 'draft' WHERE id = 11; UPDATE posts SET status = 'published' WHERE id = 10")
    social.wait_delivered("social", 45)
    compare(social, pds)
    assert social.execute("SELECT atp_uri, atp_cid FROM posts WHERE id = 11") == [(None, None)]


def test_an_owner_who_changes_takes_the_record_along(social, pds):
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (20, 1, 'mine'), (21, NULL, 'nobody''s')")
    social.wait_delivered("social", 45)
    compare(social, pds)
    social.execute("UPDATE posts SET user_id = 2 WHERE id = 20")
    social.wait_delivered("social", 45)
    compare(social, pds)
    assert social.value("SELECT did FROM autosync.atp_records WHERE key = '20'") == pds.dids[1]
    assert not social.value("SELECT autosync.has_atp_record('posts', '21')")


def test_a_deactivated_account_is_told_as_what_it_is(social, pds):
    """Before the PDS is killed: its directory of DIDs forgets then, and who is to be active again has to be in it."""
    account = pds.accounts[1]
    token = pds.ask("com.atproto.server.createSession", {"identifier": account["handle"], "password": account["password"]})["accessJwt"]
    pds.ask("com.atproto.server.deactivateAccount", {}, token=token)
    social.execute("UPDATE posts SET body = 'of a deactivated account' WHERE id = 2; UPDATE posts SET body = 'of another' WHERE id = 1")
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.atp_sessions WHERE did = %s AND status <> 'active' AND last_error LIKE '%%eactivated%%'", account["did"]) == 1)
    wait_for(lambda: social.value("SELECT autosync.count_pending_syncs(%s)", account["did"]) == 1)
    assert not social.value("SELECT autosync.has_pending_syncs(%s)", pds.dids[0])
    pds.ask("com.atproto.server.activateAccount", token=token)
    social.execute("SELECT autosync.atp_login(%s, %s, 'social')", account["handle"], account["password"])
    social.wait_delivered("social", 45)
    compare(social, pds)


def test_a_record_that_cannot_be_fails_alone(social, pds):
    social.execute("ALTER SERVER social OPTIONS (ADD max_attempts '1')")
    social.execute("INSERT INTO posts (id, user_id, body, likes) VALUES (30, 1, 'good', 1), (31, 1, 'bad', 9007199254740992), (32, 2, 'good', 1)")
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.failed_events") == 1)
    assert 'field "likes"' in social.value("SELECT last_error FROM autosync.failed_events")
    with pytest.raises(psycopg2.errors.InvalidParameterValue, match='field "likes"'):
        social.execute("SELECT autosync.to_atp_record('posts', '31')")
    social.execute("UPDATE posts SET likes = 2 WHERE id = 31")
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.failed_events") == 0)
    social.wait_delivered("social", 45)
    compare(social, pds)
    social.execute("ALTER SERVER social OPTIONS (DROP max_attempts)")


def test_answers_that_get_lost_make_no_second_record(social, pds, proxy):
    lost = []

    def lose(method):
        if method in ("applyWrites", "putRecord") and len(lost) < 3:
            lost.append(method)
            return True
        return False

    proxy.before_answer = lose
    social.execute("INSERT INTO posts (id, user_id, body) SELECT 100 + i, 1 + i % 2, 'lost ' || i FROM generate_series(1, 60) i")
    social.wait_delivered("social", 45)
    lost.clear()
    social.execute("DELETE FROM posts WHERE id BETWEEN 101 AND 130; UPDATE posts SET body = body || '!' WHERE id BETWEEN 131 AND 160")
    social.wait_delivered("social", 45)
    assert len(lost) == 3
    proxy.before_answer = None
    compare(social, pds)


def test_a_pds_that_dies_between_applying_and_answering(social, pds, proxy):
    killed = []

    def kill(method):
        if method == "applyWrites" and not killed:
            pds.kill()
            killed.append(method)
            return True
        return False

    proxy.before_answer = kill
    social.execute("INSERT INTO posts (id, user_id, body) SELECT 200 + i, 1, 'killed ' || i FROM generate_series(1, 30) i")
    wait_for(lambda: killed)
    pds.start()
    social.wait_delivered("social", 45)
    proxy.before_answer = None
    compare(social, pds)


def test_a_request_that_comes_late_does_not_stay_the_last_word(social, pds, proxy):
    """Cut off, and carried out when newer states have long been confirmed: there is no guard at the PDS against that."""
    social.execute("ALTER SERVER social OPTIONS (ADD request_timeout '10s')")  # nothing is carried out later than that
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (251, 1, 'first'), (252, 2, 'first')")
    social.wait_delivered("social", 45)
    events = [threading.Event(), threading.Event()]
    waiting = list(events)
    proxy.hold = lambda method: waiting.pop() if waiting and method in ("applyWrites", "putRecord") else None
    social.execute("UPDATE posts SET body = 'held' WHERE id = 251")
    wait_for(lambda: len(waiting) < 2)
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (253, 2, 'held, then gone')")
    wait_for(lambda: not waiting)
    proxy.hold = None
    social.execute("UPDATE posts SET body = 'last' WHERE id = 251; DELETE FROM posts WHERE id = 253")
    social.wait_delivered("social", 45)
    social.execute("SELECT autosync.pause('social')")  # what is looked at again is so behind the late requests, however long this takes
    compare(social, pds)
    for event in events:
        event.set()
    wait_for(lambda: len(proxy.late) == 2)
    assert proxy.late == [200, 200]
    social.execute("SELECT autosync.resume('social')")
    wait_for(lambda: {value["text"] for did in pds.dids for _, value in pds.records(did, POST).values()}.isdisjoint({"held", "held, then gone"}))
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.exceptions") == 0)
    compare(social, pds)
    assert social.value("SELECT count(*) FROM autosync.atp_map WHERE key = '253'") == 0
    social.execute("ALTER SERVER social OPTIONS (DROP request_timeout)")


def test_an_expired_token_is_renewed(social, pds, proxy):
    before = social.value("SELECT refresh_jwt FROM autosync.atp_store WHERE did = %s", pds.dids[0])
    asked = proxy.count("refreshSession")
    social.execute("UPDATE autosync.atp_store SET access_jwt = %s, expires_at = now() + interval '1 h' WHERE did = %s", pds.expired_token(pds.dids[0]), pds.dids[0])
    social.execute("UPDATE posts SET body = 'after two hours' WHERE id = 1; UPDATE posts SET body = 'the other' WHERE id = 2")
    social.wait_delivered("social", 45)
    compare(social, pds)
    assert proxy.count("refreshSession") == asked + 1, "one refresher, once"
    assert social.value("SELECT refresh_jwt FROM autosync.atp_store WHERE did = %s", pds.dids[0]) != before
    # What is known to expire soon is renewed before it is used.
    social.execute("UPDATE autosync.atp_store SET expires_at = now() + interval '5 s'")
    social.execute("UPDATE posts SET body = 'in time' WHERE id = 1")
    social.wait_delivered("social", 45)
    compare(social, pds)
    assert proxy.count("refreshSession") == asked + 2


def test_a_revoked_session_makes_its_own_changes_wait(social, pds):
    refresh = social.value("SELECT refresh_jwt FROM autosync.atp_store WHERE did = %s", pds.dids[0])
    pds.ask("com.atproto.server.deleteSession", token=refresh)
    social.execute("UPDATE autosync.atp_store SET access_jwt = %s, expires_at = NULL WHERE did = %s", pds.expired_token(pds.dids[0]), pds.dids[0])
    social.execute("UPDATE posts SET body = 'waits' WHERE id = 1; UPDATE posts SET body = 'goes on' WHERE id = 2; DELETE FROM posts WHERE id = 30")
    wait_for(lambda: social.value("SELECT status FROM autosync.atp_sessions WHERE did = %s", pds.dids[0]) == "revoked")
    wait_for(lambda: social.value("SELECT autosync.count_pending_syncs(%s)", pds.dids[0]) == 2)
    wait_for(lambda: any(value["text"] == "goes on" for _, value in pds.records(pds.dids[1], POST).values()))
    assert not social.value("SELECT autosync.has_pending_syncs(%s)", pds.dids[1])
    assert social.value("SELECT state FROM autosync.stat_targets WHERE target = 'social'") == "active"
    assert social.value("SELECT count(*) FROM autosync.event_log WHERE status = 'WAITING_AUTH'") == 2
    retried, succeeded, failed, errors = social.execute("SELECT * FROM autosync.retry_pending_syncs(%s)", pds.dids[0])[0]
    assert (retried, succeeded, failed) == (0, 0, 2) and "sign in anew" in errors[0]
    social.execute("UPDATE posts SET body = 'newer' WHERE id = 1; UPDATE posts SET body = 'newest' WHERE id = 1")
    account = pds.accounts[0]
    social.execute("SELECT autosync.atp_login(%s, %s, 'social')", account["handle"], account["password"])
    social.wait_delivered("social", 45)
    compare(social, pds)
    assert not social.value("SELECT autosync.has_pending_syncs(%s)", pds.dids[0])


def test_who_never_signed_in_waits_and_expires(social, pds):
    stranger = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
    social.execute("INSERT INTO users VALUES (9, %s)", stranger)
    del social.connection.notices[:]
    social.execute("SET autosync.delivery = wait; INSERT INTO posts (id, user_id, body) VALUES (90, 9, 'nobody knows')")
    assert any("pending_syncs" in notice for notice in social.connection.notices), "no commit waits until somebody signs in"
    social.execute("RESET autosync.delivery")
    wait_for(lambda: social.value("SELECT autosync.has_pending_syncs(%s)", stranger))
    assert "atp_login" in social.value("SELECT last_error FROM autosync.pending_syncs WHERE did = %s", stranger)
    social.execute("ALTER SERVER social OPTIONS (ADD pending_ttl '1s')")  # of what begins to wait from here on
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (91, 9, 'nobody knows this either')")
    wait_for(lambda: social.value("SELECT count(*) FROM autosync.event_log WHERE status = 'EXPIRED'") == 1)
    assert social.value("SELECT autosync.cleanup_pending_syncs()") == 1
    social.execute("ALTER SERVER social OPTIONS (DROP pending_ttl)")
    social.execute("DELETE FROM posts WHERE id IN (90, 91)")
    social.wait_delivered("social", 45)
    compare(social, pds)


def test_five_hundred_posts_at_random(social, pds):
    dice = random.Random(7)
    social.execute("INSERT INTO posts (id, user_id, body, likes) SELECT 1000 + i, 1 + i % 2, 'storm ' || i, i FROM generate_series(1, 500) i")
    for step in range(500):
        post = 1000 + dice.randint(1, 500)
        action = dice.random()
        if action < 0.25:
            social.execute("DELETE FROM posts WHERE id = %s", post)
        elif action < 0.4:
            social.execute("UPDATE posts SET status = CASE status WHEN 'draft' THEN 'published' ELSE 'draft' END WHERE id = %s", post)
        elif action < 0.5:
            social.execute("UPDATE posts SET user_id = 3 - user_id WHERE id = %s", post)
        elif action < 0.6:
            social.execute("INSERT INTO posts (id, user_id, body) VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE SET body = excluded.body", post, dice.randint(1, 2), "again %d" % step)
        else:
            social.execute("UPDATE posts SET body = %s, likes = %s WHERE id = %s", "step %d" % step, dice.randint(-100, 100), post)
    social.wait_delivered("social", 45)
    assert len(compare(social, pds)) > 300


def test_listeners_are_told(social, pds):
    """For syncs with the option notify, on the channel autosync, by the worker."""
    session = social.connect()
    told = []

    def hear(event, **members):
        def heard():
            session.poll()
            told.extend(json.loads(notice.payload) for notice in session.notifies)
            session.notifies.clear()
            return [each for each in told if each["event"] == event and each.items() >= members.items()]
        wait_for(heard)
        return heard()[-1]

    with session.cursor() as cursor:
        cursor.execute("LISTEN autosync")
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (300, 1, 'quiet')")
    social.wait_delivered("social", 45)
    social.execute("""SELECT autosync.alter_sync('posts', 'social', '{"notify": true}')""")
    social.wait_delivered("social", 45)
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (301, 1, 'told')")
    published = hear("record_published", key="301", did=pds.dids[0], target="social", source="public.posts")
    assert published["uri"] == social.value("SELECT autosync.atp_uri('posts', '301')") and published["cid"] == social.value("SELECT autosync.atp_cid('posts', '301')")
    social.execute("UPDATE posts SET score = 2 WHERE id = 301; DELETE FROM posts WHERE id = 301")
    assert hear("record_unpublished", key="301")["uri"] == published["uri"]
    social.execute("SELECT autosync.atp_logout(%s, 'social')", pds.dids[0])
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (302, 1, 'waits')")
    hear("pending_sync_captured", key="302", did=pds.dids[0], operation="insert")
    social.execute("SELECT autosync.atp_login(%s, %s, 'social')", pds.accounts[0]["handle"], pds.accounts[0]["password"])
    hear("pending_sync_retried", key="302", success=True)
    hear("record_published", key="302")
    social.execute("INSERT INTO users VALUES (8, 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb'); ALTER SERVER social OPTIONS (ADD pending_ttl '1s')")
    social.execute("INSERT INTO posts (id, user_id, body) VALUES (303, 8, 'nobody knows')")
    assert "too long" in hear("pending_sync_failed", key="303")["error"]
    social.execute("ALTER SERVER social OPTIONS (DROP pending_ttl); DELETE FROM posts WHERE id = 303")
    social.wait_delivered("social", 45)
    assert [each["event"] for each in told if each["key"] in ("300", "301")] == ["record_published", "record_unpublished"], "each once, and nothing of what does not change"
    compare(social, pds)
    session.close()


def test_truncate_removes_the_records(social, pds):
    social.execute("DELETE FROM posts WHERE id NOT IN (1, 2)")
    social.wait_delivered("social", 45)
    social.execute("TRUNCATE posts")
    social.wait_delivered("social", 45)
    assert compare(social, pds) == {}


def test_secrets_stay_secret(social, pds, server):
    account = pds.accounts[0]
    for password, state in (("wrong-password", "28000"),):
        with pytest.raises(psycopg2.Error) as refused:
            social.execute("SELECT autosync.atp_login(%s, %s, 'social')", account["handle"], password)
        assert refused.value.pgcode == state
    secrets = [secret for row in social.execute("SELECT access_jwt, refresh_jwt FROM autosync.atp_store") for secret in row] + ["wrong-password", account["password"]]
    assert secrets_in(pathlib.Path(server.environment["PGHOST"]) / "server.log", secrets) == []
    social.execute("CREATE ROLE atproto_nobody LOGIN")
    try:
        session = social.connect()
        cursor = session.cursor()
        cursor.execute("SET ROLE atproto_nobody")
        for relation in ("atp_store", "atp_map"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("SELECT * FROM autosync." + relation)
        cursor.execute("SELECT count(*) FROM autosync.atp_sessions")
        assert cursor.fetchone() == (0,)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT autosync.atp_login('x', 'y', 'social')")
        session.close()
    finally:
        social.execute("DROP ROLE atproto_nobody")
    shown = json.dumps(social.execute("SELECT row_to_json(s)::text FROM autosync.atp_sessions s"))
    assert not any(secret in shown for secret in secrets)
