"""JSON over HTTP with what Python brings along: for the demo and the system tests."""
import json
import urllib.error
import urllib.request


class Answer(Exception):
    """What a server said that is not success."""

    def __init__(self, status, text):
        super().__init__("%d %s" % (status, text))
        self.status = status
        self.text = text


def ask(method, url, body=None, headers=(), timeout=60):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **dict(headers)}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Answer(error.code, error.read().decode()) from None
