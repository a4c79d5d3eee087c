"""An account whose DID is its host's: a server for its document, and the way such an account comes to a PDS, which is that of one that moves there."""
import base64
import http.server
import json
import secrets
import threading
import time

from oauth import Key, b64

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve P-256
DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def multibase(key):
    """The compressed point, as documents name it."""
    x, y = (base64.urlsafe_b64decode(key.public[name] + "=") for name in "xy")
    number, text = int.from_bytes(b"\x80\x24" + bytes([2 + (y[-1] & 1)]) + x, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = DIGITS[digit] + text
    return "z" + text


class Host:
    def __init__(self):
        host = self
        self.document = {}
        self.asked = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.asked += 1
                self.send_response(200 if self.path == "/.well-known/did.json" else 404)
                self.end_headers()
                self.wfile.write(json.dumps(host.document).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.did = "did:web:localhost%%3A%d" % self.server.server_port

    def say(self, pds, handle, key):
        self.document = {"@context": ["https://www.w3.org/ns/did/v1"], "id": self.did, "alsoKnownAs": ["at://" + handle],
                         "verificationMethod": [{"id": self.did + "#atproto", "type": "Multikey", "controller": self.did, "publicKeyMultibase": key}],
                         "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds.url.replace("127.0.0.1", "localhost")}]}

    def account(self, pds, handle, folder):
        """Makes it, proved by a key of the document; the document names the PDS's key from then on. The session that it begins with."""
        key = Key(folder)
        self.say(pds, handle, multibase(key))
        now = int(time.time())
        text = ".".join(b64(json.dumps(part).encode()) for part in (
            {"typ": "JWT", "alg": "ES256"},
            {"iss": self.did, "aud": "did:web:localhost", "iat": now, "exp": now + 60, "jti": secrets.token_hex(8), "lxm": "com.atproto.server.createAccount"}))
        signature = key.sign(text.encode())
        half = int.from_bytes(signature[32:], "big")
        proof = text + "." + b64(signature[:32] + min(half, ORDER - half).to_bytes(32, "big"))
        session = pds.ask("com.atproto.server.createAccount", {"did": self.did, "handle": handle, "email": handle + "@test.invalid", "password": "password-web"}, token=proof)
        wanted = pds.ask("com.atproto.identity.getRecommendedDidCredentials", token=session["accessJwt"], any="")
        self.say(pds, handle, wanted["verificationMethods"]["atproto"].removeprefix("did:key:"))
        pds.ask("com.atproto.server.activateAccount", token=session["accessJwt"])
        return session

    def close(self):
        self.server.shutdown()
        self.server.server_close()
