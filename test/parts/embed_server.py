#!/usr/bin/env python3
"""Stands for OpenAI's embeddings API, in tests and the demo only: /v1/embeddings and /v1/models over a real model (all-MiniLM-L6-v2, 384 dimensions).
  embed_server.py --port 18801 [--api-key-file FILE] [--instant]      loopback only; --instant: no model, a vector is a hash of its text
Each model name is a model of its own: its vectors are the real one's, rotated by the name.
  POST /control {…}   from now on, beginning from nothing each time ({} is a provider in good health):
      rpm, tpm             requests and tokens a minute: 429 rate_limit_exceeded with Retry-After and x-ratelimit-*
      max_inputs (2048), max_tokens (8192, each text), max_request_tokens (300000)
      delay_ms, shuffle (data out of order; `index` is right), base64 (whatever was asked for), poison (400 for a request with a text that holds it)
      count, status, code, type, message, retry_after, headers, drop      for the next `count` requests
      spoil                "count", "size", "infinite" or "json": answers 200 with that wrong
  GET /stats          requests, ok, inputs, tokens, largest (inputs of a request), repeated (texts that it had embedded already), status,
                      probes (requests for the word "dimensions" alone, by which a vector's size is measured; they count for nothing else)"""
import argparse
import base64
import json
import os
import random
import select
import socket
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

os.environ.setdefault("OPENBLAS_NUM_THREADS", str(os.cpu_count() or 2))
MODELS = ("all-MiniLM-L6-v2", "text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
HEALTHY = {"rpm": 0, "tpm": 0, "max_inputs": 2048, "max_tokens": 8192, "max_request_tokens": 300000, "delay_ms": 0, "shuffle": False, "base64": False,
           "poison": "", "count": 0, "status": 0, "code": None, "type": "server_error", "message": "The server had an error while processing your request.",
           "retry_after": None, "headers": {}, "drop": False, "spoil": ""}
PROBE = ["dimensions"]
LOCK = threading.Lock()


class State:
    model = None
    api_key = ""
    control = dict(HEALTHY)
    window = {"since": 0.0, "requests": 0, "tokens": 0}
    statistics = {"requests": 0, "ok": 0, "inputs": 0, "tokens": 0, "largest": 0, "repeated": 0, "probes": 0, "status": {}}
    embedded = set()


def duration(seconds):
    """As OpenAI writes it: 120ms, 1s, 6m0s."""
    if seconds < 1:
        return "%dms" % (seconds * 1000)
    return "%ds" % seconds if seconds < 60 else "%dm%ds" % divmod(int(seconds), 60)


def vectors_of(tokens, model, dimensions):
    whole = State.model.dimensions
    turn = 0 if model == MODELS[0] else 1 + zlib.crc32(model.encode()) % (whole - 1)
    for numbers in State.model.embed(tokens):
        numbers = [float(number) for number in numbers]
        numbers = (numbers[turn:] + numbers[:turn])[:dimensions or whole]
        length = sum(number * number for number in numbers) ** 0.5 or 1.0
        yield [number / length for number in numbers]


class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, -1

    def log_message(self, *_):
        pass

    def answer(self, code, body, headers=()):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        for name, value in dict(headers).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, code, message, kind="invalid_request_error", parameter=None, error=None, headers=()):
        with LOCK:
            State.statistics["status"][str(code)] = State.statistics["status"].get(str(code), 0) + 1
        self.answer(code, {"error": {"message": message, "type": kind, "param": parameter, "code": error}}, headers)

    def do_GET(self):
        if self.path == "/v1/models":
            return self.answer(200, {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in MODELS]})
        if self.path in ("/stats", "/healthz"):
            with LOCK:
                return self.answer(200, State.statistics)
        return self.refuse(404, "Invalid URL (GET %s)" % self.path)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/control":
            given = json.loads(raw or b"{}")
            if set(given) - set(HEALTHY):
                return self.refuse(400, "unknown: %s" % ", ".join(set(given) - set(HEALTHY)))
            with LOCK:
                State.control = HEALTHY | given
                State.window = {"since": time.time(), "requests": 0, "tokens": 0}
            return self.answer(200, State.control)
        if self.path != "/v1/embeddings":
            return self.refuse(404, "Invalid URL (POST %s)" % self.path)
        with LOCK:
            State.statistics["requests"] += 1
        key = self.headers.get("authorization", "")
        if State.api_key and not key.startswith("Bearer "):
            return self.refuse(401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth"
                                    " (i.e. Authorization: Bearer YOUR_KEY).")
        if State.api_key and key[7:] != State.api_key:
            return self.refuse(401, "Incorrect API key provided: %s***." % key[7:10], error="invalid_api_key")
        with LOCK:
            control = State.control
            failing = control["count"] > 0
            control["count"] -= failing
        time.sleep(control["delay_ms"] / 1000)
        if control["delay_ms"] and self.is_abandoned() or failing and control["drop"]:
            self.close_connection = True
            return self.connection.close()
        if failing and control["status"]:
            headers = control["headers"] | ({} if control["retry_after"] is None else {"retry-after": control["retry_after"]})
            return self.refuse(control["status"], control["message"], control["type"], None, control["code"], headers)
        try:
            return self.embed(json.loads(raw), control)
        except ValueError:
            return self.refuse(400, "We could not parse the JSON body of your request.")

    def is_abandoned(self):
        """Whoever asked has not waited: nothing is embedded for them, nor counted in the middle of somebody else's test."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def embed(self, request, control):
        if not isinstance(request, dict) or "model" not in request:
            return self.refuse(400, "you must provide a model parameter")
        model, given, dimensions = request["model"], request.get("input"), request.get("dimensions")
        if model not in MODELS:
            return self.refuse(404, "The model `%s` does not exist or you do not have access to it." % model, error="model_not_found")
        given = [given] if isinstance(given, str) else given
        if not isinstance(given, list) or not given or not all(isinstance(text, str) and text for text in given):
            return self.refuse(400, "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.")
        if len(given) > control["max_inputs"]:
            return self.refuse(400, "Invalid 'input': array too long. Expected an array with maximum length %d, but got an array with length %d instead."
                               % (control["max_inputs"], len(given)), parameter="input", error="array_above_max_length")
        if control["poison"] and any(control["poison"] in text for text in given):
            return self.refuse(400, "'$.input' is invalid.")
        form = request.get("encoding_format") or "float"
        if form not in ("float", "base64"):
            return self.refuse(400, "'%s' is not one of ['float', 'base64'] - 'encoding_format'" % form, parameter="encoding_format")
        whole = State.model.dimensions
        if dimensions is not None and (type(dimensions) is not int or not 0 < dimensions <= whole):
            return self.refuse(400, "Invalid value for 'dimensions' = %s. Must be less than or equal to %d." % (dimensions, whole), parameter="dimensions")
        with LOCK:
            tokens = State.model.tokens(given)
        longest, total = max(map(len, tokens)), sum(map(len, tokens))
        if longest > control["max_tokens"]:
            return self.refuse(400, "This model's maximum context length is %d tokens, however you requested %d tokens (%d in your prompt; 0 for the completion)."
                                    " Please reduce your prompt; or completion length." % (control["max_tokens"], longest, longest))
        if total > control["max_request_tokens"]:
            return self.refuse(400, "Requested %d tokens, max %d tokens per request" % (total, control["max_request_tokens"]), "max_tokens_per_request", None,
                               "max_tokens_per_request")
        headers, full = self.limits(control, total)
        if full:
            unit, left = full
            return self.refuse(429, "Rate limit reached for %s on %s per min. Please try again in %s." % (model, unit, duration(left)), unit, None,
                               "rate_limit_exceeded", headers | {"retry-after": int(left) + 1, "retry-after-ms": int(left * 1000) + 1})
        with LOCK:
            vectors = list(vectors_of(tokens, model, dimensions))
            self.count(given, total, model, dimensions)
        return self.answer(200, self.body(vectors, model, total, form, control), headers | {"openai-processing-ms": 0})

    @staticmethod
    def count(given, total, model, dimensions):
        statistics = State.statistics
        if given == PROBE:
            statistics["requests"] -= 1
            statistics["probes"] += 1
            return
        statistics["ok"] += 1
        statistics["inputs"] += len(given)
        statistics["tokens"] += total
        statistics["largest"] = max(statistics["largest"], len(given))
        for text in given:
            statistics["repeated"] += (model, dimensions, text) in State.embedded
            State.embedded.add((model, dimensions, text))

    @staticmethod
    def limits(control, total):
        """The headers that tell what is left of this minute, and which limit is reached, if one is."""
        headers, full = {}, None
        with LOCK:
            window, now = State.window, time.time()
            if now - window["since"] >= 60:
                window.update(since=now, requests=0, tokens=0)
            left = 60 - (now - window["since"])
            if control["rpm"] and window["requests"] + 1 > control["rpm"]:
                full = "requests", left
            elif control["tpm"] and window["tokens"] + total > control["tpm"]:
                full = "tokens", left
            else:
                window["requests"] += 1
                window["tokens"] += total
            for limit, unit in ((control["rpm"], "requests"), (control["tpm"], "tokens")):
                if limit:
                    headers |= {"x-ratelimit-limit-" + unit: limit, "x-ratelimit-remaining-" + unit: max(0, limit - window[unit]),
                                "x-ratelimit-reset-" + unit: duration(left)}
        return headers, full

    @staticmethod
    def body(vectors, model, total, form, control):
        spoil = control["spoil"]
        if spoil == "json":
            return b'{"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2'
        if spoil == "size":
            vectors[0] = vectors[0][:-1]
        if spoil == "infinite":
            vectors[0][3] = float("inf")
        if spoil == "count":
            vectors.pop()
        if form == "base64" or control["base64"]:
            vectors = [base64.b64encode(struct.pack("<%df" % len(numbers), *numbers)).decode() for numbers in vectors]
        else:
            vectors = [[float("%.8g" % number) for number in numbers] for numbers in vectors]
        data = [{"object": "embedding", "index": index, "embedding": numbers} for index, numbers in enumerate(vectors)]
        if control["shuffle"]:
            random.shuffle(data)
        return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": total, "total_tokens": total}}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, default=18801)
    arguments.add_argument("--api-key-file")
    arguments.add_argument("--instant", action="store_true")
    given = arguments.parse_args()
    if given.instant:
        from instant_model import Instant as Model
    else:
        from minilm_np import MiniLM as Model
    State.model = Model()
    if given.api_key_file:
        with open(given.api_key_file, encoding="utf-8") as file:
            State.api_key = file.read().strip()
    ThreadingHTTPServer.daemon_threads, ThreadingHTTPServer.request_queue_size = True, 64
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Handler)
    print("stand-in for OpenAI's embeddings on http://127.0.0.1:%d/v1/embeddings" % given.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
