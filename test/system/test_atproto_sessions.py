"""Whose session, at which server: accounts that move, are deactivated or taken down, sessions of OAuth, what waits and is tried again; against a real PDS."""
import base64
import json
import os
import time
import urllib.request

import psycopg2
import pytest

from did_web import Host
from servers import script, settings
from oauth import Client
from pds import Pds, Proxy
from test_atproto import wait_for

NOTE = "com.example.session.note"


@pytest.fixture(scope="module")
def home(private_folders):
    """A PDS of its own with a directory of DIDs that has forgotten nobody: that of the other tests loses it when they kill it."""
    own = {"PDS_DIR": os.environ["PDS_DIR"] + "-home", "PDS_PORT": str(int(os.environ.get("PDS_PORT", 12583)) + 4),
           "PLC_PORT": str(int(os.environ.get("PLC_PORT", 12582)) + 4)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        pds = Pds(lambda *command: script(*command), settings)
        yield pds
        pds.wipe()


@pytest.fixture(scope="module")
def people(database, home):
    """A target that finds each identity's server."""
    database.execute("SELECT autosync.add_target('people', 'atproto://', %s)",
                     json.dumps({"plc_url": home.plc, "retry_initial_delay": "200ms", "retry_max_delay": "1s"}))
    database.execute("CREATE TABLE notes (id int PRIMARY KEY, did text, text text)")
    database.execute("""SELECT autosync.add_sync('notes', 'people', '{"collection": "%s", "rkey": "key", "columns": ["did", "text"]}')""" % NOTE)
    return database


def login(people, home, number):
    account = home.accounts[number]
    return people.execute("SELECT autosync.atp_login(%s, %s, 'people')", account["did"], account["password"])


def texts(home, did):
    return {rkey: value["text"] for rkey, (_, value) in home.records(did, NOTE).items()}


def state(people, did):
    return people.execute("SELECT status, pds, coalesce(last_error, '') FROM autosync.atp_sessions WHERE did = %s", did)[0]


def pending(people, did):
    return people.value("SELECT autosync.count_pending_syncs(%s)", did)


def test_sessions_of_oauth_deliver_with_proofs(people, home, tmp_path):
    """PAR, sign-in, consent and token of the real server; from then on the tokens are autosync's."""
    did, client = home.dids[0], Client(home, tmp_path)

    def hand_over(session):
        people.execute("SELECT autosync.atp_set_session(%s, 'people', %s, %s, %s, %s, %s, expires_at => now() + interval '50 min')",
                       did, session["access_token"], session["refresh_token"], client.key.pem, client.issuer + "/oauth/token", client.id)

    session = client.session(home.accounts[0])
    assert session["token_type"] == "DPoP" and session["sub"] == did
    people.execute("INSERT INTO notes VALUES (1, %s, 'waits for proofs')", did)
    wait_for(lambda: pending(people, did) == 1)
    hand_over(session)
    people.wait_delivered("people", 30)
    assert texts(home, did) == {"1": "waits for proofs"}
    assert people.execute("SELECT kind, status, pds FROM autosync.atp_sessions") == [("oauth", "active", client.issuer)]
    assert people.value("SELECT dpop_nonce FROM autosync.atp_store") is not None, "the next request need not be asked twice"
    # The refresh token works once: what it gave is written down before it is used.
    people.execute("UPDATE autosync.atp_store SET expires_at = now() + interval '5 s'")
    people.execute("UPDATE notes SET text = 'renewed' WHERE id = 1")
    people.wait_delivered("people", 30)
    assert texts(home, did) == {"1": "renewed"}
    renewed = people.execute("SELECT refresh_jwt, access_jwt FROM autosync.atp_store")[0]
    assert session["refresh_token"] != renewed[0] and session["access_token"] != renewed[1]
    # A replay ends the session at the server; that is this identity's state, not the target's.
    people.execute("UPDATE autosync.atp_store SET refresh_jwt = %s, expires_at = now() + interval '5 s'", session["refresh_token"])
    people.execute("UPDATE notes SET text = 'after a replay' WHERE id = 1")
    wait_for(lambda: state(people, did)[0] == "revoked")
    wait_for(lambda: pending(people, did) == 1)
    assert people.value("SELECT state FROM autosync.stat_targets") == "active"
    hand_over(client.session(home.accounts[0]))
    people.wait_delivered("people", 30)
    assert texts(home, did) == {"1": "after a replay"}
    people.execute("SELECT autosync.atp_logout(%s)", did)


def test_a_session_without_the_scope_to_write_says_what_it_lacks(people, home, tmp_path):
    """Who consented to being known alone has not consented to being written for."""
    did, client = home.dids[0], Client(home, tmp_path, "atproto")

    def hand_over(of):
        session = of.session(home.accounts[0])
        people.execute("SELECT autosync.atp_set_session(%s, 'people', %s, %s, %s, %s, %s, expires_at => now() + interval '50 min')",
                       did, session["access_token"], session["refresh_token"], of.key.pem, of.issuer + "/oauth/token", of.id)

    hand_over(client)
    people.execute("INSERT INTO notes VALUES (5, %s, 'out of scope'), (6, %s, 'of somebody with all rights')", did, home.dids[1])
    login(people, home, 1)
    wait_for(lambda: people.value("SELECT count(*) FROM autosync.failed_events WHERE entity_id = '5'") == 1)
    error = people.value("SELECT last_error FROM autosync.failed_events")
    assert error.startswith('ScopeMissingError: Missing required scope "repo:%s?action=create"' % NOTE) and "sign in with a session that has it, then call autosync.retry()" in error
    wait_for(lambda: texts(home, home.dids[1]).get("6") == "of somebody with all rights")
    assert state(people, did)[0] == "active", "it may write to other collections"
    assert people.value("SELECT state FROM autosync.stat_targets") == "active" and "5" not in texts(home, did)
    hand_over(Client(home, tmp_path))
    people.execute("SELECT autosync.retry('people')")
    people.wait_delivered("people", 30)
    assert texts(home, did)["5"] == "out of scope"
    people.execute("DELETE FROM notes WHERE id = 6")
    people.wait_delivered("people", 30)
    people.execute("SELECT autosync.atp_logout(%s)", did)


def test_an_account_that_moves_is_followed(people, home):
    """The other server is the same one under another address, so that it takes the session."""
    did, other = home.dids[1], Proxy(home)
    login(people, home, 1)
    people.execute("INSERT INTO notes VALUES (10, %s, 'at home')", did)
    people.wait_delivered("people", 30)
    assert state(people, did)[1].startswith("http://localhost") and other.seen == []
    home.move(did, other.url)
    people.execute("UPDATE notes SET text = 'not looked up yet' WHERE id = 10")
    people.wait_delivered("people", 30)
    assert other.seen == [], "what was found is remembered"
    people.execute("UPDATE autosync.atp_store SET resolved_at = now() - interval '2 h'; UPDATE notes SET text = 'looked up' WHERE id = 10")
    wait_for(lambda: state(people, did)[:2] == ("active", other.url))
    people.execute("UPDATE notes SET text = 'moved' WHERE id = 10")
    people.wait_delivered("people", 30)
    assert texts(home, did) == {"10": "moved"} and other.count("putRecord", 200) == 1 and other.count("refreshSession", 200) == 1
    # A server that is out of reach is reason enough to ask where the account is; what waited for it goes there at once.
    people.execute("UPDATE autosync.atp_store SET pds = 'http://127.0.0.1:9'; SELECT pg_terminate_backend(pid) FROM autosync.stat_workers")  # a new worker has asked nothing yet
    people.execute("UPDATE notes SET text = 'found again' WHERE id = 10")
    wait_for(lambda: texts(home, did) == {"10": "found again"}, 25)
    assert state(people, did)[1] == other.url
    home.move(did, home.url)
    login(people, home, 1)
    other.close()


def test_an_account_whose_did_is_its_host_s_delivers(people, home, tmp_path):
    """did:web: its server is found by the document that the host has."""
    host = Host()
    session = host.account(home, "weber.test", tmp_path)
    before = host.asked
    people.execute("INSERT INTO notes VALUES (50, %s, 'waits')", host.did)
    wait_for(lambda: pending(people, host.did) == 1)
    people.execute("SELECT autosync.atp_set_session(%s, 'people', %s, %s)", host.did, session["accessJwt"], session["refreshJwt"])
    assert host.asked > before and state(people, host.did)[:2] == ("active", home.url.replace("127.0.0.1", "localhost"))
    people.wait_delivered("people", 30)
    people.execute("INSERT INTO notes VALUES (51, %s, 'second'); UPDATE notes SET text = 'first' WHERE id = 50", host.did)
    people.wait_delivered("people", 30)
    assert texts(home, host.did) == {"50": "first", "51": "second"}
    assert people.value("SELECT autosync.atp_uri('notes', '50')") == "at://%s/%s/50" % (host.did, NOTE)
    people.execute("DELETE FROM notes WHERE id IN (50, 51)")
    people.wait_delivered("people", 30)
    assert texts(home, host.did) == {}
    host.document["id"] = "did:web:else.example.com"
    with pytest.raises(psycopg2.Error, match="names no PDS"):
        people.execute("SELECT autosync.atp_set_session(%s, 'people', 'a.b.c', 'd.e.f')", host.did)
    people.execute("SELECT autosync.atp_logout(%s)", host.did)
    host.close()


def test_what_became_of_an_account_is_its_state_and_passes(people, home):
    did = home.dids[0]
    login(people, home, 0)
    token = home.ask("com.atproto.server.createSession", {"identifier": did, "password": home.accounts[0]["password"]})["accessJwt"]
    admin = base64.b64encode(b"admin:" + home.settings["PDS_ADMIN_PASSWORD"].encode()).decode()

    def take_down(applied):
        request = urllib.request.Request(home.url + "/xrpc/com.atproto.admin.updateSubjectStatus", json.dumps({
            "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": did}, "takedown": {"applied": applied, "ref": "1"}}).encode(),
            {"Authorization": "Basic " + admin, "Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=30).read()

    for status, begin, end in (("deactivated", lambda: home.ask("com.atproto.server.deactivateAccount", {}, token=token),
                                lambda: home.ask("com.atproto.server.activateAccount", token=token)),
                               ("taken_down", lambda: take_down(True), lambda: take_down(False))):
        begin()
        people.execute("INSERT INTO notes VALUES (20, %s, %s) ON CONFLICT (id) DO UPDATE SET text = excluded.text", did, status)
        wait_for(lambda: state(people, did)[0] == status)
        wait_for(lambda: pending(people, did) == 1)
        assert "Account" in people.value("SELECT last_error FROM autosync.pending_syncs WHERE did = %s", did)
        people.execute("UPDATE autosync.atp_store SET retry_at = now()")  # five minutes later it is so still
        wait_for(lambda: people.value("SELECT retry_at > now() + interval '4 min' FROM autosync.atp_store WHERE did = %s", did))
        assert state(people, did)[0] == status and pending(people, did) == 1
        end()
        people.execute("UPDATE autosync.atp_store SET retry_at = now()")
        if status == "taken_down":  # which has ended all sessions
            wait_for(lambda: state(people, did)[0] == "revoked")
            login(people, home, 0)
        people.wait_delivered("people", 30)
        assert texts(home, did)["20"] == status and state(people, did)[0] == "active"


def test_without_auto_retry_somebody_has_to_ask(people, home):
    did = home.dids[0]
    people.execute("SELECT autosync.atp_logout(%s); ALTER SERVER people OPTIONS (ADD auto_retry 'off')", did)
    people.execute("INSERT INTO notes VALUES (30, %s, 'asked for'), (31, %s, 'asked for')", did, did)
    wait_for(lambda: pending(people, did) == 2)
    assert people.value("SELECT waiting_auth FROM autosync.stat_targets") == 2
    assert people.execute("SELECT retried, succeeded, failed, array_length(errors, 1) FROM autosync.retry_pending_syncs(%s)", did) == [(0, 0, 2, 1)]
    login(people, home, 0)
    people.execute("INSERT INTO notes VALUES (32, %s, 'a newer one')", did)
    wait_for(lambda: "32" in texts(home, did))
    time.sleep(1.2)  # the keeper of sessions looks once a second
    assert pending(people, did) == 2 and "30" not in texts(home, did)
    session = people.connect()
    with session.cursor() as cursor:  # also of a transaction that does not commit
        cursor.execute("BEGIN")
        cursor.execute("SELECT retried, succeeded, failed, errors FROM autosync.retry_pending_syncs(%s)", (did,))
        assert cursor.fetchone() == (2, 2, 0, [])
        cursor.execute("ROLLBACK")
    session.close()
    assert {"30", "31", "32"} <= set(texts(home, did)) and pending(people, did) == 0
    people.execute("ALTER SERVER people OPTIONS (DROP auto_retry)")


def test_sessions_that_do_not_work_are_tried_so_often(people, home):
    did = home.dids[0]
    people.execute("SELECT autosync.atp_logout(%s); ALTER SERVER people OPTIONS (ADD pending_max_attempts '2')", did)
    people.execute("INSERT INTO notes VALUES (40, %s, 'tried')", did)
    wait_for(lambda: pending(people, did) == 1)
    for attempt in (1, 2):
        people.execute("SELECT autosync.atp_set_session(%s, 'people', %s, 'no.refresh.token')", did, home.expired_token(did))
        wait_for(lambda: state(people, did)[0] == "revoked")
        if attempt == 1:
            wait_for(lambda: people.value("SELECT attempts FROM autosync.pending_syncs WHERE did = %s", did) == 1)
    wait_for(lambda: people.value("SELECT count(*) FROM autosync.failed_events WHERE entity_id = '40'") == 1)
    assert pending(people, did) == 0
    login(people, home, 0)
    people.execute("ALTER SERVER people OPTIONS (DROP pending_max_attempts); SELECT autosync.retry('people')")
    wait_for(lambda: texts(home, did).get("40") == "tried")


def test_a_restored_database_goes_on_with_its_records(people, home, server):
    """pg_dump carries the map of records: after adoption the rows are the records they were."""
    people.wait_delivered("people", 30)
    people.execute("SELECT autosync.publish_as('notes', '20', %s)", home.dids[1])
    people.wait_delivered("people", 30)
    before = [home.records(did, NOTE) for did in home.dids]
    restored = people.name + "_restored"
    script("postgres", "run", "createdb", restored)
    try:
        script("postgres", "run", "sh", "-c", "pg_dump %s | psql -X -q -v ON_ERROR_STOP=1 %s >/dev/null" % (people.name, restored))
        people.execute("SELECT autosync.pause('people')")
        copy = server.connect(restored)
        with copy.cursor() as cursor:
            def value(statement, *arguments):
                cursor.execute(statement, arguments)
                return cursor.fetchone()[0]
            assert value("SELECT count(*) FROM autosync.atp_store") == 0, "no secret is in a dump"
            cursor.execute("SELECT autosync.adopt_database()")
            for account in home.accounts[:2]:
                cursor.execute("SELECT autosync.atp_login(%s, %s, 'people')", (account["did"], account["password"]))
            cursor.execute("UPDATE notes SET text = 'restored' WHERE id = 20; DELETE FROM notes WHERE id = 10")
            wait_for(lambda: value("SELECT count(*) FROM autosync.jobs") == 0)
            assert value("SELECT autosync.wait_delivered('people', '30 s')")
            after = [home.records(did, NOTE) for did in home.dids]
            assert set(after[0]) == set(before[0]) and set(after[1]) == set(before[1]) - {"10"}
            assert after[1]["20"][1]["text"] == "restored" and after[0] == before[0], "nothing is sent that is there as it should be"
            assert value("SELECT count(*) FROM autosync.atp_records") == len(after[0]) + len(after[1])
        copy.close()
    finally:
        people.execute("SELECT autosync.resume('people')")
        script("postgres", "run", "dropdb", "--force", restored)


def test_an_account_that_is_no_more_waits_for_somebody(people, home):
    gone = home.ask("com.atproto.server.createAccount", {"handle": "gone.test", "email": "gone@test.invalid", "password": "password-gone"})["did"]
    login(people, home, 1)
    people.execute("SELECT autosync.atp_login(%s, 'password-gone', 'people')", gone)
    people.execute("INSERT INTO notes VALUES (25, %s, 'still there')", gone)
    people.wait_delivered("people", 30)
    admin = base64.b64encode(b"admin:" + home.settings["PDS_ADMIN_PASSWORD"].encode()).decode()
    urllib.request.urlopen(urllib.request.Request(home.url + "/xrpc/com.atproto.admin.deleteAccount", json.dumps({"did": gone}).encode(),
                                                  {"Authorization": "Basic " + admin, "Content-Type": "application/json"}), timeout=30).read()
    people.execute("UPDATE notes SET text = 'too late' WHERE id = 25; INSERT INTO notes VALUES (26, %s, 'of somebody else')", home.dids[1])
    wait_for(lambda: pending(people, gone) == 1)
    wait_for(lambda: texts(home, home.dids[1]).get("26") == "of somebody else")
    wait_for(lambda: state(people, gone)[0] == "revoked")
    assert state(people, gone)[2] == "AccountNotFound: Account not found"
    reason = people.value("SELECT last_error FROM autosync.pending_syncs WHERE did = %s", gone)
    assert "sign in anew with autosync.atp_login()" in reason and "AccountNotFound" in reason
    assert people.value("SELECT count(*) FROM autosync.failed_events") == 0 and people.value("SELECT state FROM autosync.stat_targets") == "active"
