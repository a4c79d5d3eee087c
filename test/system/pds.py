"""The private PDS of the system tests, what its repositories hold, and a proxy before it that loses answers."""
import base64
import hashlib
import hmac
import http.client
import http.server
import json
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


def cbor_head(major, number):
    for below, form, info in ((24, "", number), (1 << 8, "B", 24), (1 << 16, ">H", 25), (1 << 32, ">I", 26), (1 << 64, ">Q", 27)):
        if number < below:
            return bytes([major << 5 | info]) + (struct.pack(form, number) if form else b"")
    raise ValueError(number)


def dag_cbor(value):
    """An encoder of its own, so that the extension's is not compared with itself."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(dag_cbor, value))
    if set(value) == {"$bytes"}:
        raw = base64.b64decode(value["$bytes"] + "=" * (-len(value["$bytes"]) % 4))
        return cbor_head(2, len(raw)) + raw
    members = sorted(value, key=lambda name: (len(name.encode()), name.encode()))
    return cbor_head(5, len(value)) + b"".join(dag_cbor(name) + dag_cbor(value[name]) for name in members)


def cid_of(record):
    digest = b"\x01\x71\x12\x20" + hashlib.sha256(dag_cbor(record)).digest()
    return "b" + base64.b32encode(digest).decode().lower().rstrip("=")


class Pds:
    def __init__(self, script, settings):
        self.script = script
        script("pds", "wipe")
        script("pds", "start")
        environment = self.settings = settings("pds", "env")
        self.url = environment["PDS_URL"]
        self.plc = environment["PLC_URL"]
        self.secret = environment["PDS_JWT_SECRET"]
        with open(environment["PDS_ACCOUNTS_FILE"]) as file:
            self.accounts = json.load(file)["accounts"]
        self.dids = [account["did"] for account in self.accounts]

    def start(self):
        self.script("pds", "start")

    def kill(self):
        self.script("pds", "kill")

    def wipe(self):
        self.script("pds", "wipe")

    def move(self, did, url):
        """In the directory of DIDs."""
        self.script("pds", "move", did, url)

    def ask(self, method, body=None, token=None, **query):
        request = urllib.request.Request(self.url + "/xrpc/" + method + ("?" + urllib.parse.urlencode(query) if query else ""))
        if token:
            request.add_header("Authorization", "Bearer " + token)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        elif not query:
            request.method = "POST"
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def records(self, did, collection):
        """rkey -> (cid, value) of all records."""
        found, cursor = {}, None
        while True:
            page = self.ask("com.atproto.repo.listRecords", repo=did, collection=collection, limit=100, **({"cursor": cursor} if cursor else {}))
            for record in page["records"]:
                rkey = record["uri"].rsplit("/", 1)[1]
                assert rkey not in found
                found[rkey] = (record["cid"], record["value"])
            cursor = page.get("cursor")
            if not cursor:
                return found

    def expired_token(self, did):
        """An access token as this server made it two hours ago."""
        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
        now = int(time.time())
        text = part({"typ": "at+jwt", "alg": "HS256"}) + b"." + part(
            {"scope": "com.atproto.access", "aud": "did:web:localhost", "sub": did, "iat": now - 7500, "exp": now - 300})
        signature = hmac.new(self.secret.encode(), text, hashlib.sha256).digest()
        return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


class Proxy:
    """Passes everything on. `before_answer(method)` is called once the PDS has answered; True: the answer gets lost. `hold(method)` is called
    before the PDS is asked; an event: the connection is cut, and the PDS is asked when that event is set."""

    def __init__(self, pds):
        proxy = self
        self.before_answer = None
        self.hold = None
        self.late = []  # status of what was held
        self.seen = []  # (method, status), in order
        upstream = urllib.parse.urlsplit(pds.url).netloc

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                method = self.path.split("?")[0].rsplit(".", 1)[-1]
                request = self.command, self.path, body, {name: value for name, value in self.headers.items() if name.lower() != "host"}
                held = proxy.hold and proxy.hold(method)
                if held:
                    threading.Thread(target=self.ask_later, args=(held, request), daemon=True).start()
                    self.close_connection = True
                    return
                try:
                    answer, content = self.ask(request)
                except OSError:
                    self.close_connection = True
                    return
                proxy.seen.append((method, answer.status))
                if proxy.before_answer and proxy.before_answer(method):
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection", "content-encoding"):
                        self.send_header(name, value)
                if answer.getheader("Content-Encoding"):
                    self.send_header("Content-Encoding", answer.getheader("Content-Encoding"))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = pass_on

            @staticmethod
            def ask(request):
                connection = http.client.HTTPConnection(upstream, timeout=60)
                connection.request(*request)
                answer = connection.getresponse()
                return answer, answer.read()

            def ask_later(self, event, request):
                event.wait()
                proxy.late.append(self.ask(request)[0].status)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, method, status=None):
        return sum(1 for name, code in self.seen if name == method and status in (None, code))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def secrets_in(path, secrets):
    text = subprocess.run(["cat", str(path)], stdout=subprocess.PIPE, errors="replace", text=True).stdout
    return [secret for secret in secrets if secret in text]
