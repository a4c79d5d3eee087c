"""Stands for the part of a Qdrant server that reads requests: REST's JSON into the engine's filters and update operations, refused as the server does."""
import json
import uuid

import qdrant_edge as engine


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def wrong(message):
    return Refused(400, "Wrong input: " + message)


def malformed(message):
    return Refused(400, "Format error in JSON body: " + message)


def need(body, name):
    if not isinstance(body, dict) or name not in body:
        raise malformed("missing field `%s`" % name)
    return body[name]


def point_id(value):
    if type(value) is int and 0 <= value < 2 ** 64:
        return value
    if isinstance(value, str):
        try:
            return str(uuid.UUID(value.removeprefix("urn:uuid:")))
        except ValueError:
            pass
    raise malformed("value %s is not a valid point ID, valid values are either an unsigned integer or a UUID"
                    % (value if isinstance(value, str) else json.dumps(value)))


def vector(value):
    if isinstance(value, dict):
        if "model" in value:
            raise Refused(500, "Service internal error: InferenceService URL not configured - please provide valid address in config")
        if set(value) == {"indices", "values"}:
            return engine.SparseVector(value["indices"], value["values"])
        return {name: vector(member) for name, member in value.items()}
    if isinstance(value, list):
        if all(isinstance(x, (int, float)) and type(x) is not bool for x in value) or (value and all(isinstance(x, list) for x in value)):
            return value
    raise malformed("data did not match any variant of untagged enum VectorStruct")


NO_CONDITION = ('Expected some form of condition, which can be a field condition (like {"key": ..., "match": ... }), or some other mentioned in the'
                ' documentation: https://qdrant.tech/documentation/concepts/filtering/#filtering-conditions')
CLAUSES = {"must", "should", "must_not", "min_should"}
MATCHES = {"value": engine.MatchValue, "any": engine.MatchAny, "except": engine.MatchExcept, "text": engine.MatchText,
           "text_any": engine.MatchTextAny, "phrase": engine.MatchPhrase}


def condition(body):
    if not isinstance(body, dict):
        raise malformed(NO_CONDITION)
    if CLAUSES & set(body):
        return filter_of(body)
    if "has_id" in body:
        return engine.HasIdCondition({point_id(value) for value in body["has_id"]})
    if "has_vector" in body:
        return engine.HasVectorCondition(body["has_vector"])
    if isinstance(body.get("is_empty"), dict):
        return engine.IsEmptyCondition(body["is_empty"]["key"])
    if isinstance(body.get("is_null"), dict):
        return engine.IsNullCondition(body["is_null"]["key"])
    if "nested" in body:
        return engine.NestedCondition(body["nested"]["key"], filter_of(body["nested"]["filter"]))
    given = {}
    for name, match in MATCHES.items():
        if name in (body.get("match") or {}):
            given["match"] = match(body["match"][name])
    if body.get("range") is not None:
        bounds = {name: value for name, value in body["range"].items() if name in ("gt", "gte", "lt", "lte") and value is not None}
        if any(isinstance(value, str) for value in bounds.values()):
            given["range"] = engine.RangeDateTime(**bounds)
        else:
            given["range"] = engine.RangeFloat(**{name: float(value) for name, value in bounds.items()})
    if "values_count" in body:
        given["values_count"] = engine.ValuesCount(**body["values_count"])
    given |= {name: body[name] for name in ("is_empty", "is_null") if name in body}
    if "key" not in body or not given:
        raise malformed(NO_CONDITION)
    return engine.FieldCondition(body["key"], **given)


def filter_of(body):
    if body is None:
        return None
    unknown = set(body) - CLAUSES
    if unknown:
        raise malformed("unknown field `%s`, expected one of `should`, `min_should`, `must`, `must_not`" % min(unknown))

    def clause(name):
        members = body.get(name)
        return None if members is None else [condition(member) for member in (members if isinstance(members, list) else [members])]
    least = body.get("min_should")
    return engine.Filter(must=clause("must"), should=clause("should"), must_not=clause("must_not"),
                         min_should=engine.MinShould([condition(member) for member in least["conditions"]], least["min_count"]) if least else None)


def points_of(body):
    if "batch" in body:
        batch = body["batch"]
        vectors, payloads = batch["vectors"], batch.get("payloads") or [None] * len(batch["ids"])
        rows = [{"id": point, "vector": {name: column[i] for name, column in vectors.items()} if isinstance(vectors, dict) else vectors[i], "payload": payloads[i]}
                for i, point in enumerate(batch["ids"])]
    elif "points" in body:
        rows = body["points"]
    else:
        raise malformed("Invalid PointInsertOperations format")
    return [(point_id(need(row, "id")), vector(row["vectors"] if "vectors" in row else need(row, "vector")), row.get("payload")) for row in rows]


def selector(body):
    """Which points are meant: their ids, or a filter."""
    if isinstance(body.get("points"), list):
        return [point_id(value) for value in body["points"]], None
    if "filter" in body:
        return None, filter_of(body["filter"])
    raise malformed("data did not match any variant of untagged enum PointsSelector")


EMPTY = Refused(400, "Bad request: Empty update request")
UPDATE = engine.UpdateOperation
MODES = {None: None, "upsert": engine.UpdateMode.Upsert, "insert_only": engine.UpdateMode.InsertOnly, "update_only": engine.UpdateMode.UpdateOnly}


def upsert(body, sizes):
    rows = points_of(body)
    if not rows:
        raise EMPTY
    # The server checks sizes, not names, before it takes the request: so also with wait=false.
    for _, given, _ in rows:
        for name, numbers in given.items() if isinstance(given, dict) else [("", given)]:
            if name in sizes and isinstance(numbers, list) and not isinstance((numbers or [0])[0], list) and len(numbers) != sizes[name]:
                raise wrong("Vector dimension error: expected dim: %d, got %d" % (sizes[name], len(numbers)))
    return UPDATE.upsert_points([engine.Point(*row) for row in rows], filter_of(body.get("update_filter")), MODES[body.get("update_mode")])


def delete(body, _):
    if body.get("points") == []:
        raise EMPTY
    ids, chosen = selector(body)
    return UPDATE.delete_points(ids) if chosen is None else UPDATE.delete_points_by_filter(chosen)


def payload(kind):
    def operation(body, _):
        if "points" not in body and "filter" not in body:
            raise malformed("Either list of point ids or filter must be provided")
        ids, chosen = selector(body)
        call = getattr(UPDATE, kind + "_payload" + ("" if chosen is None else "_by_filter"))
        return call(ids if chosen is None else chosen, need(body, "payload"), body.get("key"))
    return operation


def delete_payload(body, _):
    names = need(body, "keys")
    ids, chosen = selector(body)
    return UPDATE.delete_payload(ids, names) if chosen is None else UPDATE.delete_payload_by_filter(chosen, names)


def clear_payload(body, _):
    ids, chosen = selector(body)
    return UPDATE.clear_payload(ids) if chosen is None else UPDATE.clear_payload_by_filter(chosen)


def update_vectors(body, _):
    rows = need(body, "points")
    if not rows:
        raise Refused(422, "Validation error in JSON body: [points: must specify points to update]")
    return UPDATE.update_vectors([engine.PointVectors(point_id(need(row, "id")), vector(need(row, "vector"))) for row in rows],
                                 filter_of(body.get("update_filter")))


def delete_vectors(body, _):
    names = need(body, "vector")
    ids, chosen = selector(body)
    return UPDATE.delete_vectors(ids, names) if chosen is None else UPDATE.delete_vectors_by_filter(chosen, names)


BATCH = {"upsert": upsert, "delete": delete, "set_payload": payload("set"), "overwrite_payload": payload("overwrite"), "delete_payload": delete_payload,
         "clear_payload": clear_payload, "update_vectors": update_vectors, "delete_vectors": delete_vectors}
WRITES = {("PUT", "/points"): upsert, ("POST", "/points/delete"): delete, ("POST", "/points/payload"): BATCH["set_payload"],
          ("PUT", "/points/payload"): BATCH["overwrite_payload"], ("POST", "/points/payload/delete"): delete_payload,
          ("POST", "/points/payload/clear"): clear_payload, ("PUT", "/points/vectors"): update_vectors, ("POST", "/points/vectors/delete"): delete_vectors}
SCHEMAS = {name: getattr(engine.PayloadSchemaType, name.capitalize()) for name in ("keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid")}
DISTANCES = ("Cosine", "Euclid", "Dot", "Manhattan")
