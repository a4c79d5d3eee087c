"""The real rate limits of a PDS: who has reached them waits, and nobody else; nothing is burnt by asking for more than is left."""
import os
import urllib.error

import pytest

from servers import script, settings
from pds import Pds, Proxy
from test_atproto import wait_for

NOTE = "com.example.note"


@pytest.fixture(scope="module")
def limited(private_folders):
    """A PDS of its own, beside that of the other tests."""
    own = {"PDS_RATE_LIMITS": "1", "PDS_DIR": os.environ["PDS_DIR"] + "-limited", "PDS_PORT": str(int(os.environ.get("PDS_PORT", 12583)) + 2),
           "PLC_PORT": str(int(os.environ.get("PLC_PORT", 12582)) + 2)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        pds = Pds(script, settings)
        yield pds
        pds.wipe()


def test_the_hour_of_one_identity_is_over(database, limited):
    proxy = Proxy(limited)
    database.execute("SELECT autosync.add_target('social', %s)", proxy.url.replace("http:", "atproto:"))
    for account in limited.accounts:
        database.execute("SELECT autosync.atp_login(%s, %s, 'social')", account["handle"], account["password"])
    database.execute("CREATE TABLE notes (id int PRIMARY KEY, did text, body text)")
    database.execute("""SELECT autosync.add_sync('notes', 'social', '{"collection": "%s", "columns": ["id", "did", "body"]}')""" % NOTE)
    busy, other = limited.dids
    database.execute("INSERT INTO notes SELECT i, %s, 'note ' || i FROM generate_series(1, 1700) i", busy)  # 5,000 points are 1,666 records
    published = "SELECT count(*) FROM autosync.atp_records WHERE did = %s"
    wait_for(lambda: database.value(published, busy) >= 1600, 180)
    database.execute("INSERT INTO notes SELECT 2000 + i, %s, 'other ' || i FROM generate_series(1, 20) i", other)
    wait_for(lambda: database.value(published, other) == 20)
    wait_for(lambda: database.value("SELECT count(*) FROM autosync.exceptions") == 1700 - database.value(published, busy))
    assert 1660 <= database.value(published, busy) <= 1666
    assert len(limited.records(other, NOTE)) == 20 and len(limited.records(busy, NOTE)) == database.value(published, busy)
    assert {value["createdAt"] for _, value in limited.records(other, NOTE).values()} == {
        at for (at,) in database.execute("SELECT DISTINCT autosync.to_atp_record('notes', id::text) ->> 'createdAt' FROM notes WHERE did = %s", other)}, "assigned once"
    wait_for(lambda: database.value("SELECT bool_and(status = 'PENDING' AND last_error LIKE 'the rate limit of %' AND next_attempt_at > now() + interval '10 min')"
                                    " FROM autosync.exceptions"))
    assert proxy.count("applyWrites", 429) == 0, "a batch that is too large would burn the rest"
    assert database.value("SELECT state FROM autosync.stat_targets") == "active"
    assert proxy.count("createSession") == 2, "nobody signs in per batch"
    # A worker that comes new knows what is left: it does not try.
    seen = len(proxy.seen)
    database.execute("SELECT pg_terminate_backend(pid) FROM autosync.stat_workers")
    database.execute("INSERT INTO notes SELECT 3000 + i, CASE WHEN i = 1 THEN %s ELSE %s END, 'after a restart' FROM generate_series(1, 5) i", other, busy)
    wait_for(lambda: database.value(published, other) == 21)
    wait_for(lambda: database.value("SELECT count(*) FROM autosync.exceptions WHERE key::int BETWEEN 3002 AND 3005") == 4)
    assert len(proxy.seen) == seen + 1 and proxy.count("applyWrites", 429) == proxy.count("putRecord", 429) == 0
    proxy.close()


def spend(pds, did, token):
    """All that an identity may write in an hour, by somebody else; epoch seconds of when it may write again. A batch of more than 200 is charged and refused."""
    writes = [{"$type": "com.atproto.repo.applyWrites#create", "collection": NOTE, "rkey": str(i), "value": {}} for i in range(800)]
    for _ in range(3):
        with pytest.raises(urllib.error.HTTPError) as refused:
            pds.ask("com.atproto.repo.applyWrites", {"repo": did, "writes": writes}, token=token)
    assert refused.value.code == 429
    return int(refused.value.headers["RateLimit-Reset"])


def test_what_others_have_written_counts_too(database, limited):
    """What is left was right when it was last told; then somebody else spends it."""
    limited.kill()  # the server counts in memory: with a restart another hour begins there
    limited.start()
    proxy = Proxy(limited)
    database.execute("SELECT autosync.add_target('shared', %s)", proxy.url.replace("http:", "atproto:"))
    for account in limited.accounts:
        database.execute("SELECT autosync.atp_login(%s, %s, 'shared')", account["handle"], account["password"])
    database.execute("CREATE TABLE remarks (id int PRIMARY KEY, did text, body text)")
    database.execute("""SELECT autosync.add_sync('remarks', 'shared', '{"collection": "%s.shared", "rkey": "key", "columns": ["did", "body"]}')""" % NOTE)
    busy, other = limited.dids
    bodies = lambda did: {rkey: value["body"] for rkey, (_, value) in limited.records(did, NOTE + ".shared").items()}
    database.execute("INSERT INTO remarks VALUES (1, %s, 'before'), (2, %s, 'before')", busy, other)
    database.wait_delivered("shared", 30)
    token = limited.ask("com.atproto.server.createSession", {"identifier": busy, "password": limited.accounts[0]["password"]})["accessJwt"]
    reset = spend(limited, busy, token)
    assert proxy.count("applyWrites", 429) + proxy.count("putRecord", 429) == 0
    database.execute("UPDATE remarks SET body = 'after'; INSERT INTO remarks VALUES (3, %s, 'new'), (4, %s, 'new')", busy, other)
    wait_for(lambda: bodies(other) == {"2": "after", "4": "new"})
    wait_for(lambda: database.value("SELECT count(*) FROM autosync.exceptions WHERE target = 'shared'") == 2)
    waits = database.execute("SELECT key, status, last_error, extract(epoch FROM next_attempt_at)::float8 FROM autosync.exceptions WHERE target = 'shared' ORDER BY key")
    assert [(key, status) for key, status, _, _ in waits] == [("1", "PENDING"), ("3", "PENDING")]
    assert all("RateLimitExceeded" in error or "the rate limit of " + busy in error for _, _, error, _ in waits), waits
    assert all(reset - 5 <= at <= reset + 300 for *_, at in waits), (reset, waits)
    database.execute("UPDATE remarks SET body = 'nothing is held up' WHERE id = 4")
    wait_for(lambda: bodies(other)["4"] == "nothing is held up")
    assert database.value("SELECT state FROM autosync.stat_targets WHERE target = 'shared'") == "active"
    assert proxy.count("applyWrites", 429) + proxy.count("putRecord", 429) == 1, "it met the limit once, and then it knew"
    assert bodies(busy) == {"1": "before"}
    # That the server's hour is over autosync is told in its store, and by a worker that comes new.
    limited.kill()
    limited.start()
    seen = len(proxy.seen)
    database.execute("UPDATE autosync.atp_store SET points_until = now() WHERE did = %s", busy)
    before = database.execute("SELECT pg_terminate_backend(pid), pid FROM autosync.stat_workers")
    for _, pid in before:  # the one before still believes in the hour: what it met with it would put off again
        wait_for(lambda: database.execute("SELECT pid FROM pg_stat_activity WHERE pid = %s", pid) == [])
    database.execute("UPDATE autosync.exceptions SET next_attempt_at = now() WHERE target = 'shared'")
    database.wait_delivered("shared", 30)
    assert bodies(busy) == {"1": "after", "3": "new"} and bodies(other) == {"2": "after", "4": "nothing is held up"}
    writes = [(method, status) for method, status in proxy.seen[seen:] if method != "getRecord"]
    assert writes in ([("applyWrites", 200)], [("putRecord", 200)] * 2), "it arrives once"
    assert database.value("SELECT count(*) FROM autosync.failed_events") == 0
    proxy.close()
