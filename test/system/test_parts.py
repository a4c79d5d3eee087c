"""What the other tests rely on: the stand-ins answer as the servers they stand for are documented to."""
import math

import pytest

from rest import Answer

UUID = "0b5dcf62-4f0e-5d4f-9c2e-6c0f5a3a2d11"


@pytest.fixture
def birds(qdrant):
    qdrant.clear()
    qdrant.result("PUT", "/collections/birds_1", {"vectors": {"size": 2, "distance": "Cosine"}})
    qdrant.result("POST", "/collections/aliases", {"actions": [{"create_alias": {"collection_name": "birds_1", "alias_name": "birds"}}]})
    yield qdrant
    qdrant.clear()


def batch(qdrant, *operations, collection="birds"):
    return qdrant.result("POST", "/collections/%s/points/batch?wait=true" % collection, {"operations": list(operations)})


def refused(qdrant, *request):
    with pytest.raises(Answer) as refusal:
        qdrant.ask(*request)
    return refusal.value.status


def aliases(qdrant, *actions):
    return qdrant.ask("POST", "/collections/aliases", {"actions": list(actions)})


def test_a_batch_of_operations_says_for_each_that_it_is_completed(birds):
    results = batch(birds, {"upsert": {"points": [{"id": 1, "vector": [1, 0], "payload": {"a": 1, "_v": 5}}, {"id": UUID, "vector": [0, 1], "payload": {"a": 2}}]}},
                    {"overwrite_payload": {"points": [1], "payload": {"a": 3}}}, {"update_vectors": {"points": [{"id": UUID, "vector": [3, 4]}]}},
                    {"upsert": {"points": [{"id": 3, "vector": [1, 1]}]}}, {"delete": {"points": [3, 4]}})
    assert [result["status"] for result in results] == ["completed"] * 5
    assert birds.points("birds", with_vector=True) == {1: {"id": 1, "payload": {"a": 3}, "vector": [1, 0]},
                                                       UUID: {"id": UUID, "payload": {"a": 2}, "vector": pytest.approx([0.6, 0.8])}}


def test_a_batch_ends_at_the_first_error_and_keeps_what_came_before(birds):
    with pytest.raises(Answer) as refusal:
        batch(birds, {"upsert": {"points": [{"id": 1, "vector": [1, 0]}]}}, {"upsert": {"points": [{"id": 2, "vector": [1, 0, 0]}]}},
              {"upsert": {"points": [{"id": 3, "vector": [1, 0]}]}})
    assert refusal.value.status == 400 and "expected dim: 2, got 3" in refusal.value.text
    assert set(birds.points("birds")) == {1}


def test_points_are_retrieved_without_payload_unless_it_is_asked_for(birds):
    batch(birds, {"upsert": {"points": [{"id": 1, "vector": [1, 0], "payload": {"_v": 7, "_hash": "x", "text": "long"}}]}})
    path = "/collections/birds/points"
    assert birds.result("POST", path, {"ids": [1, 2]}) == [{"id": 1}]
    assert birds.result("POST", path, {"ids": [1], "with_payload": ["_v", "_hash", "_model"], "with_vector": False}) == [{"id": 1, "payload": {"_v": 7, "_hash": "x"}}]


def test_scroll_filters_and_pages(birds):
    birds.result("PUT", "/collections/birds/index?wait=true", {"field_name": "_source", "field_schema": "keyword"})
    batch(birds, {"upsert": {"points": [{"id": number, "vector": [1, number], "payload": {"_source": "odd" if number % 2 else "even"}} for number in range(10)]}})
    question = {"filter": {"must": [{"key": "_source", "match": {"value": "odd"}}]}, "limit": 2, "with_payload": False}
    first = birds.result("POST", "/collections/birds/points/scroll", question)
    assert [point["id"] for point in first["points"]] == [1, 3] and first["next_page_offset"] == 5
    second = birds.result("POST", "/collections/birds/points/scroll", {**question, "limit": 10, "offset": 5})
    assert second == {"points": [{"id": 5}, {"id": 7}, {"id": 9}], "next_page_offset": None}
    assert birds.result("GET", "/collections/birds")["payload_schema"]["_source"]["data_type"] == "keyword"
    birds.result("POST", "/collections/birds/points/delete?wait=true", {"filter": question["filter"]})
    assert sorted(birds.points("birds")) == [0, 2, 4, 6, 8]


def test_queries_rank_by_cosine_and_filter(birds):
    batch(birds, {"upsert": {"points": [{"id": number, "vector": [math.cos(number / 10), math.sin(number / 10)], "payload": {"n": number}} for number in range(8)]}})
    assert birds.nearest("birds", [1, 0], 3) == [(number, pytest.approx(math.cos(number / 10))) for number in range(3)]
    assert birds.nearest("birds", [1, 0], 2, filter={"must": [{"key": "n", "range": {"gte": 5}}]})[0][0] == 5


def test_an_alias_stands_for_its_collection(birds):
    batch(birds, {"upsert": {"points": [{"id": 1, "vector": [1, 0]}]}})
    assert birds.points("birds") == birds.points("birds_1") != {}
    assert birds.result("GET", "/collections/birds/exists") == {"exists": True}
    assert birds.result("GET", "/collections")["collections"] == [{"name": "birds_1"}]
    assert birds.result("GET", "/aliases") == birds.result("GET", "/collections/birds_1/aliases") == {
        "aliases": [{"alias_name": "birds", "collection_name": "birds_1"}]}


def test_aliases_and_collections_never_share_a_name(birds):
    create = {"create_alias": {"collection_name": "birds_1", "alias_name": "birds_1"}}
    assert refused(birds, "POST", "/collections/aliases", {"actions": [create]}) == 409
    assert refused(birds, "PUT", "/collections/birds", {"vectors": {"size": 2, "distance": "Dot"}}) == 400
    assert refused(birds, "POST", "/collections/aliases", {"actions": [{"create_alias": {"collection_name": "none", "alias_name": "x"}}]}) == 404
    assert refused(birds, "POST", "/collections/aliases", {"actions": [{"rename_alias": {"old_alias_name": "none", "new_alias_name": "x"}}]}) == 404


def test_aliases_are_moved_in_one_request(birds):
    birds.result("PUT", "/collections/birds_2", {"vectors": {"size": 3, "distance": "Cosine"}})
    aliases(birds, {"delete_alias": {"alias_name": "birds"}}, {"create_alias": {"collection_name": "birds_2", "alias_name": "birds"}})
    assert birds.result("GET", "/collections/birds")["config"]["params"]["vectors"]["size"] == 3
    aliases(birds, {"create_alias": {"collection_name": "birds_1", "alias_name": "birds"}})  # one that is there is moved
    assert birds.result("GET", "/collections/birds")["config"]["params"]["vectors"]["size"] == 2
    aliases(birds, {"rename_alias": {"old_alias_name": "birds", "new_alias_name": "fowl"}}, {"delete_alias": {"alias_name": "never was"}})
    assert refused(birds, "GET", "/collections/birds") == 404
    assert birds.result("DELETE", "/collections/fowl") is False  # an alias is no collection
    assert birds.result("DELETE", "/collections/birds_1") is True
    assert birds.result("GET", "/aliases") == {"aliases": []}


def test_a_killed_qdrant_has_kept_what_it_confirmed(birds):
    batch(birds, {"upsert": {"points": [{"id": number, "vector": [1, number]} for number in range(300)]}})
    birds.kill()
    birds.start()
    assert len(birds.points("birds")) == 300


def test_who_may_not_is_told_in_plain_text(birds):
    key, birds.key = birds.key, "wrong"
    try:
        with pytest.raises(Answer) as refusal:
            birds.ask("GET", "/collections")
    finally:
        birds.key = key
    assert (refusal.value.status, refusal.value.text) == (401, "Invalid API key or JWT")


def test_faults_come_as_often_as_they_were_asked_for(birds):
    birds.fault(count=1, match="/points/scroll", status=503)
    assert refused(birds, "POST", "/collections/birds/points/scroll", {}) == 503
    assert birds.points("birds") == {}
    birds.fault(count=1, match="/batch", status=500, after=True)
    with pytest.raises(Answer):
        batch(birds, {"upsert": {"points": [{"id": 1, "vector": [1, 0]}]}})
    assert set(birds.points("birds")) == {1}
    birds.fault(count=1, match="/batch", result="wait_timeout")
    assert [result["status"] for result in batch(birds, {"delete": {"points": [1]}})] == ["wait_timeout"]


def test_the_model_knows_what_is_meant(embedder):
    embedder.control()
    warm, scarf, drill = embedder.embed(["something warm for winter", "a thick woollen scarf", "an electric drill"])
    near = sum(a * b for a, b in zip(warm, scarf))
    assert len(warm) == 384 and sum(a * a for a in warm) == pytest.approx(1, abs=1e-5)
    assert near > sum(a * b for a, b in zip(warm, drill)) + 0.1
    # Another model's vectors are of no use beside them.
    other, = embedder.embed(["a thick woollen scarf"], model="text-embedding-3-small")
    assert abs(sum(a * b for a, b in zip(scarf, other))) < near / 2
    assert len(embedder.embed(["short"], dimensions=64)[0]) == 64


def test_the_embedder_fails_by_the_rules_it_is_given(embedder):
    def failure(**control):
        embedder.control(**control)
        try:
            with pytest.raises(Answer) as refusal:
                embedder.embed(["a text of some words", "poison"])
            return refusal.value.status, refusal.value.text
        finally:
            embedder.control()
    assert failure(count=1, status=429, code="insufficient_quota")[0] == 429
    assert "rate_limit_exceeded" in failure(rpm=-1)[1]
    assert failure(poison="poison")[0] == 400
    assert "maximum context length is 2 tokens" in failure(max_tokens=2)[1]
    assert "max_tokens_per_request" in failure(max_request_tokens=5)[1]
    before = embedder.stats()
    assert len(embedder.embed(["never seen before today"] * 3)) == 3
    assert {name: embedder.stats()[name] - before[name] for name in ("requests", "inputs", "repeated")} == {"requests": 1, "inputs": 3, "repeated": 2}
