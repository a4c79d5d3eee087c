"""The real rate limits of a PDS: who has reached them waits, and nobody else; nothing is burnt by asking for more than is left."""
import os

import pytest

from conftest import script, settings
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
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
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
    wait_for(lambda: database.value(published, busy) >= 1600)
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
