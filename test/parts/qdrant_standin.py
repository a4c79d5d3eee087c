#!/usr/bin/env python3
"""Stands for a Qdrant server, in tests only: Qdrant's own engine (PyPI qdrant-edge-py) behind the part of Qdrant's REST API that a sync and its checker need.
  qdrant_standin.py --port 16333 --path FOLDER [--api-key-file FILE]        loopback only
The engine stores, filters and searches; HTTP, validation, aliases and JSON are ours. Statuses and bodies were compared with a server 1.18.
Not here (404): clusters, snapshots, gRPC, recommendations, groups, facets, strict mode, JWT. Differs: a write with wait=false is in memory only
until it reaches the engine's log; the order of equal scores; the wording of errors in JSON.
  POST /_fault {"count": 2, "match": "/points", "status": 503, "retry_after": 1, "delay_ms": 0, "drop": false, "after": false, "error": "…", "result": "…",
                "limit": 0}       for the next `count` requests whose path holds `match`; `after`: carried out before it fails; `result`: the status
                                  reported for each operation; `limit`: bytes of a body from now on. {} ends it all.
  GET  /_stats                    how often each method and route was asked for, and how many points each kind of operation named"""
import argparse
import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import qdrant_edge as engine
from qdrant_collections import Storage
from qdrant_faults import FAULT, FAULT_LOCK, STATISTICS, fault_for
from qdrant_requests import BATCH, SCHEMAS, UPDATE, WRITES, Refused, filter_of, malformed, need, point_id, vector, wrong

VERSION = "1.18.3"
MEGABYTES = 32


def plain_id(value):
    return value if isinstance(value, int) else str(value)


def plain_vector(value):
    if isinstance(value, engine.SparseVector):
        return {"indices": value.indices, "values": value.values}
    return {name: plain_vector(member) for name, member in value.items()} if isinstance(value, dict) else value


def with_payload(body, default):
    wanted = body.get("with_payload", default)
    if wanted is None:
        return default
    if isinstance(wanted, list):
        return engine.PayloadSelector.Include(wanted)
    if isinstance(wanted, dict):
        return engine.PayloadSelector.Include(wanted["include"]) if "include" in wanted else engine.PayloadSelector.Exclude(wanted["exclude"])
    return wanted


def record(point, body, default, scored=False):
    answer = {"id": plain_id(point.id)}
    if scored:
        answer |= {"version": point.version, "score": point.score}
    if with_payload(body, default):
        answer["payload"] = point.payload or {}
    if body.get("with_vector"):
        answer["vector"] = plain_vector(point.vector)
    return answer


def query(collection, body, style):
    wanted, using = (body.get("query"), body.get("using")) if style == "query" else (need(body, "vector"), None)
    if style == "search":
        if isinstance(wanted, dict):
            using, wanted = wanted["name"], wanted["vector"]
        need(body, "limit")
    if isinstance(wanted, dict) and "nearest" in wanted:
        wanted = wanted["nearest"]
    chosen = body.get("filter")
    if isinstance(wanted, (int, str)) and type(wanted) is not bool:  # the vector of that point, and others than it
        point = point_id(wanted)
        found = collection.shard.retrieve([point], False, True)
        if not found:
            raise Refused(404, "Not found: No point with id %s found" % wanted)
        wanted = found[0].vector[using] if isinstance(found[0].vector, dict) else found[0].vector
        chosen = {"must": [chosen] if chosen else [], "must_not": [{"has_id": [point]}]}
    if using and using not in collection.vectors and using not in (collection.config.get("sparse_vectors") or {}):
        raise wrong("Not existing vector name error: " + using)
    if not using and "" not in collection.vectors and wanted is not None:
        raise wrong("Not existing vector name error: ")
    request = engine.QueryRequest(limit=body.get("limit", 10), offset=body.get("offset") or 0,
                                  query=None if wanted is None else engine.Query.Nearest(vector(wanted), using or None), filter=filter_of(chosen),
                                  with_payload=with_payload(body, False), with_vector=body.get("with_vector") or False,
                                  score_threshold=body.get("score_threshold"))
    return [record(point, body, False, True) for point in collection.read(lambda: collection.shard.query(request))]


DEFAULTS = {"hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False},
            "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0, "max_segment_size": None,
                                 "memmap_threshold": None, "indexing_threshold": 10000, "flush_interval_sec": 5, "max_optimization_threads": None},
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}, "quantization_config": None}


def information(collection):
    known = collection.shard.info()
    sparse = collection.config.get("sparse_vectors")
    parameters = {"vectors": collection.config.get("vectors") or {}, "shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1,
                  "on_disk_payload": True} | ({"sparse_vectors": sparse} if sparse else {})
    return {"status": "green", "optimizer_status": "ok", "indexed_vectors_count": known.indexed_vectors_count, "points_count": known.points_count,
            "segments_count": known.segments_count, "config": {"params": parameters, **DEFAULTS},
            "payload_schema": {name: {"data_type": str(index.data_type).rsplit(".", maxsplit=1)[-1].lower(), "points": index.points}
                               for name, index in known.payload_schema.items()}}


class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, -1
    storage = None
    api_key = ""

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind="application/json", headers=()):
        text = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        self.send_response(code)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def plain(self, code, text):
        self.answer(code, text.encode(), "text/plain; charset=utf-8")

    def handle_request(self):
        begun = time.perf_counter()
        address = urlsplit(self.path)
        path = unquote(address.path).rstrip("/") or "/"
        length = int(self.headers.get("content-length") or 0)
        if length > (FAULT.get("limit") or MEGABYTES << 20):
            self.close_connection = True  # the server does not read it to its end either
            limit = FAULT.get("limit") or MEGABYTES << 20
            return self.answer(400, {"status": {"error": "JSON payload (%d bytes) is larger than allowed (limit: %d bytes)." % (length, limit)}, "time": 0.0})
        raw = self.rfile.read(length) if length else b""
        if path in ("/healthz", "/livez", "/readyz"):
            return self.plain(200, "all shards are ready" if path == "/readyz" else "healthz check passed")
        if path == "/_fault":
            with FAULT_LOCK:
                FAULT.clear()
                FAULT.update(json.loads(raw or b"{}"))
            return self.answer(200, FAULT)
        if path == "/_stats":
            return self.answer(200, {"requests": STATISTICS.requests, "operations": STATISTICS.operations})
        key = self.headers.get("api-key") or (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if path != "/" and self.api_key and key != self.api_key:
            return self.plain(401, "Invalid API key or JWT" if key else "Must provide an API key or an Authorization bearer token")
        STATISTICS.note(STATISTICS.requests, self.command + " " + re.sub(r"^/collections/(?!aliases$)[^/]+", "/collections/*", path))
        fault = fault_for(path)
        if fault:
            time.sleep(fault.get("delay_ms", 0) / 1000)
            if not fault.get("after") and self.fail(fault):
                return None
        try:
            if path == "/" and self.command == "GET":
                return self.answer(200, {"title": "qdrant - vector search engine", "version": VERSION})
            found = self.route(path, raw, {name: values[-1] for name, values in parse_qs(address.query).items()})
            if found is None:
                return self.answer(404, b"", "text/plain")
            if fault and fault.get("after") and self.fail(fault):
                return None
            result, = found
            if fault and "result" in fault:
                for operation in result if isinstance(result, list) else [result]:
                    operation["status"] = fault["result"]
            return self.answer(200, {"result": result, "status": "ok", "time": time.perf_counter() - begun})
        except Refused as refused:
            return self.answer(refused.code, {"status": {"error": refused.message}, "time": time.perf_counter() - begun})
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            return self.answer(400, {"status": {"error": "Format error in JSON body: %r" % error}, "time": 0.0})

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = handle_request

    def fail(self, fault):
        if fault.get("drop"):
            self.close_connection = True
            self.connection.close()
            return True
        if "status" in fault:
            self.answer(fault["status"], {"status": {"error": fault.get("error", "injected fault")}, "time": 0.0},
                        headers={"retry-after": str(fault["retry_after"])} if "retry_after" in fault else {})
            return True
        return False

    def write(self, collection, name, operation, body, wait, timeout=None):
        members = body.get("points", body.get("batch", {}).get("ids"))
        STATISTICS.note(STATISTICS.operations, name, len(members) if isinstance(members, list) else 1)
        return collection.update(operation(body, collection.sizes), wait, timeout)

    def route(self, path, raw, parameters):
        """The result in a list, or None for an address that the server does not have."""
        storage, method = self.storage, self.command

        def body():
            try:
                given = json.loads(raw)
            except ValueError as error:
                raise malformed(str(error)) from error
            if not isinstance(given, dict):
                raise malformed("Invalid JSON body")
            return given
        if (method, path) == ("GET", "/collections"):
            return [{"collections": [{"name": name} for name in sorted(storage.collections)]}]
        if (method, path) == ("GET", "/aliases"):
            return [storage.list_aliases()]
        if (method, path) == ("POST", "/collections/aliases"):
            return [storage.change_aliases(need(body(), "actions"))]
        parts = re.fullmatch(r"/collections/([^/]{1,255})(/.*)?", path)
        if not parts:
            return None
        name, rest = parts[1], parts[2] or ""
        if parameters.get("ordering", "weak") not in ("weak", "medium", "strong"):
            raise Refused(400, "Deserialize error in query parameters: unknown variant `%s`, expected one of `weak`, `medium`, `strong`" % parameters["ordering"])
        if parameters.get("wait", "false") not in ("true", "false"):
            raise Refused(400, "Deserialize error in query parameters: provided string was not `true` or `false`")
        wait = parameters.get("wait") == "true"
        if rest == "" and method in ("GET", "PUT", "DELETE"):
            return [information(storage.collection(name)) if method == "GET" else storage.create(name, body()) if method == "PUT" else storage.drop(name)]
        if (method, rest) == ("GET", "/exists"):
            return [{"exists": storage.exists(name)}]
        if (method, rest) == ("GET", "/aliases"):
            return [storage.list_aliases(name)]
        if (method, rest) in WRITES:
            given, collection = body(), storage.collection(name)
            operation = WRITES[(method, rest)]
            return [self.write(collection, next(kind for kind, known in BATCH.items() if known is operation), operation, given, wait, parameters.get("timeout"))]
        if (method, rest) == ("POST", "/points/batch"):
            operations, collection = need(body(), "operations"), storage.collection(name)
            if any(not isinstance(step, dict) or len(step) != 1 or next(iter(step)) not in BATCH for step in operations):
                raise malformed("data did not match any variant of untagged enum UpdateOperation")
            # One after another, ends at the first error: not atomic, as in the server.
            return [[self.write(collection, kind, BATCH[kind], given, wait, parameters.get("timeout")) for step in operations for kind, given in step.items()]]
        if (method, rest) == ("PUT", "/index"):
            given = body()
            schema = need(given, "field_schema")
            schema = schema.get("type") if isinstance(schema, dict) else schema
            if schema not in SCHEMAS:
                raise malformed("data did not match any variant of untagged enum PayloadFieldSchema")
            return [storage.collection(name).update(UPDATE.create_field_index(need(given, "field_name"), SCHEMAS[schema]), wait)]
        if method == "DELETE" and rest.startswith("/index/"):
            return [storage.collection(name).update(UPDATE.delete_field_index(rest[7:]), wait)]
        if method == "GET" and (point := re.fullmatch(r"/points/([^/]+)", rest)):
            return [self.single(storage.collection(name), point[1])]
        return self.read(storage.collection(name), rest, body()) if method == "POST" and rest.startswith("/points") else None

    @staticmethod
    def single(collection, text):
        try:
            wanted = point_id(int(text) if text.isdigit() else text)
        except Refused as refused:
            raise wrong('Can not recognize "%s" as point id' % text) from refused
        found = collection.shard.retrieve([wanted], True, True)
        if not found:
            raise Refused(404, "Not found: Point with id %s does not exists!" % wanted)
        return record(found[0], {"with_vector": True}, True)

    @staticmethod
    def read(collection, rest, body):
        vectors = body.get("with_vector") or False
        if rest == "/points":  # no payload unless asked for, as in the server
            ids = [point_id(value) for value in need(body, "ids")]
            return [[record(point, body, False) for point in collection.read(lambda: collection.shard.retrieve(ids, with_payload(body, False), vectors))]]
        if rest == "/points/scroll":
            offset, limit = body.get("offset"), body.get("limit")
            if limit is not None and (type(limit) is not int or limit < 1):
                raise Refused(422, "Validation error in JSON body: [scroll_request.limit: value %s invalid, must be 1 or larger]" % limit)
            request = engine.ScrollRequest(offset=None if offset is None else point_id(offset), limit=limit or 10, filter=filter_of(body.get("filter")),
                                           with_payload=with_payload(body, True), with_vector=vectors)
            points, following = collection.read(lambda: collection.shard.scroll(request))
            return [{"points": [record(point, body, True) for point in points], "next_page_offset": None if following is None else plain_id(following)}]
        if rest == "/points/count":
            chosen = filter_of(body.get("filter"))
            return [{"count": collection.read(lambda: collection.shard.count(engine.CountRequest(exact=body.get("exact", True), filter=chosen)))}]
        if rest == "/points/search":
            return [query(collection, body, "search")]
        if rest == "/points/query":
            return [{"points": query(collection, body, "query")}]
        return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=16333)
    arguments.add_argument("--path", required=True)
    arguments.add_argument("--api-key-file")
    given = arguments.parse_args()
    Handler.storage = Storage(given.path)
    if given.api_key_file:
        with open(given.api_key_file, encoding="utf-8") as file:
            Handler.api_key = file.read().strip()
    ThreadingHTTPServer.daemon_threads, ThreadingHTTPServer.request_queue_size = True, 64
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    print("stand-in for Qdrant on http://127.0.0.1:%d, %d collections" % (given.port, len(Handler.storage.collections)), flush=True)
    server.serve_forever()


main()
