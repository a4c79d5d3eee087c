"""An OAuth client of a PDS, up to the session that an application hands over: PAR, sign-in, consent, token, all with proofs of possession."""
import base64
import hashlib
import http.client
import json
import re
import secrets
import subprocess
import time
import urllib.parse


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Key:
    """A P-256 key; by the command openssl, so that the extension's signatures are not compared with themselves."""

    def __init__(self, folder):
        self.path = str(folder / ("key-%s.pem" % secrets.token_hex(4)))
        self.pem = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], check=True, stdout=subprocess.PIPE).stdout.decode()
        with open(self.path, "w") as file:
            file.write(self.pem)
        point = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True, stdout=subprocess.PIPE).stdout[-64:]
        self.public = {"kty": "EC", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])}

    def sign(self, text):
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=text, check=True, stdout=subprocess.PIPE).stdout
        numbers, at = [], 2
        for _ in range(2):
            length = der[at + 1]
            numbers.append(int.from_bytes(der[at + 2:at + 2 + length], "big").to_bytes(32, "big"))
            at += 2 + length
        return b"".join(numbers)

    def proof(self, method, url, nonce=None):
        parts = [{"typ": "dpop+jwt", "alg": "ES256", "jwk": self.public},
                 {"jti": secrets.token_hex(8), "htm": method, "htu": url, "iat": int(time.time()), **({"nonce": nonce} if nonce else {})}]
        text = ".".join(b64(json.dumps(part).encode()) for part in parts).encode()
        return text.decode() + "." + b64(self.sign(text))


class Client:
    redirect = "http://127.0.0.1/callback"

    def __init__(self, pds, folder, scope="atproto transition:generic"):
        self.scope = scope
        self.issuer = pds.url.replace("127.0.0.1", "localhost")  # as the server calls itself
        self.address = urllib.parse.urlsplit(pds.url).netloc
        self.key = Key(folder)
        self.cookies = {}
        self.id = "http://localhost?" + urllib.parse.urlencode({"redirect_uri": self.redirect, "scope": self.scope})

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        connection.request(method, path, body, {"Host": urllib.parse.urlsplit(self.issuer).netloc, **(headers or {}),
                                                **({"Cookie": "; ".join(map("=".join, self.cookies.items()))} if self.cookies else {})})
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer, answer.read().decode()

    def post_form(self, path, form):
        nonce = None
        for _ in range(2):
            answer, text = self.ask("POST", path, urllib.parse.urlencode(form),
                                    {"Content-Type": "application/x-www-form-urlencoded", "DPoP": self.key.proof("POST", self.issuer + path, nonce)})
            nonce = answer.getheader("DPoP-Nonce")
            if "use_dpop_nonce" not in text:
                break
        assert answer.status in (200, 201), (path, answer.status, text)
        return json.loads(text)

    def call(self, referer, endpoint, body):
        answer, text = self.ask("POST", "/@atproto/oauth-provider/~api/" + endpoint, json.dumps(body), {
            "Content-Type": "application/json", "Origin": self.issuer, "Referer": referer, "Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Dest": "empty", "x-csrf-token": self.cookies["csrf-token"], "User-Agent": "test"})
        assert answer.status == 200, (endpoint, answer.status, text)
        return json.loads(text)

    def session(self, account):
        """What the token endpoint gives."""
        verifier = secrets.token_urlsafe(48)
        request = self.post_form("/oauth/par", {
            "client_id": self.id, "response_type": "code", "redirect_uri": self.redirect, "scope": self.scope, "state": secrets.token_hex(8),
            "code_challenge": b64(hashlib.sha256(verifier.encode()).digest()), "code_challenge_method": "S256"})
        page = "/oauth/authorize?" + urllib.parse.urlencode({"client_id": self.id, "request_uri": request["request_uri"]})
        answer, text = self.ask("GET", page, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "User-Agent": "test"})
        assert answer.status == 200, (answer.status, re.sub("<[^>]*>", " ", text)[:500])
        signed_in = self.call(self.issuer + page, "sign-in", {"locale": "en", "username": account["handle"], "password": account["password"], "remember": True})
        consent = self.call(self.issuer + page, "consent", {"sub": signed_in["account"]["sub"]})
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(consent["url"]).query)["code"][0]
        return self.post_form("/oauth/token", {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "client_id": self.id, "redirect_uri": self.redirect})
