"""The private servers behind vectors: Qdrant's stand-in and the embedder, as the tests talk to them."""
import os

from rest import ask


class Qdrant:
    def __init__(self, script, settings):
        self.script = script
        script("qdrant", "wipe")
        script("qdrant", "start")
        environment = settings("qdrant", "env")
        self.url, self.key = environment["QDRANT_URL"], environment["QDRANT_API_KEY"]

    def start(self):
        self.script("qdrant", "start")

    def kill(self):
        self.script("qdrant", "kill")

    def ask(self, method, path, body=None):
        return ask(method, self.url + path, body, {"api-key": self.key})

    def result(self, method, path, body=None):
        return self.ask(method, path, body)["result"]

    def fault(self, **what):
        self.ask("POST", "/_fault", what)

    def stats(self):
        return self.ask("GET", "/_stats")

    def clear(self):
        self.fault()
        for collection in self.result("GET", "/collections")["collections"]:
            self.result("DELETE", "/collections/" + collection["name"])

    def points(self, collection, chosen=None, with_vector=False):
        """All points by id."""
        points, offset = {}, None
        while True:
            page = self.result("POST", "/collections/%s/points/scroll" % collection,
                               {"limit": 500, "offset": offset, "filter": chosen, "with_payload": True, "with_vector": with_vector})
            points.update((point["id"], point) for point in page["points"])
            offset = page["next_page_offset"]
            if offset is None:
                return points

    def nearest(self, collection, vector, limit=10, **more):
        """(id, score), the nearest first."""
        found = self.result("POST", "/collections/%s/points/query" % collection, {"query": vector, "limit": limit, **more})
        return [(point["id"], point["score"]) for point in found["points"]]


class Embedder:
    def __init__(self, script, settings):
        self.script = script
        script("embedder", "wipe")
        script("embedder", "start")
        environment = settings("embedder", "env")
        self.url, self.key = environment["EMBED_URL"], environment["EMBED_API_KEY"]

    @property
    def root(self):
        return self.url.removesuffix("/v1")

    def start(self):
        self.script("embedder", "start")

    def kill(self):
        self.script("embedder", "kill")

    def control(self, **what):
        return ask("POST", self.root + "/control", what)

    def stats(self):
        return ask("GET", self.root + "/stats")

    def request(self, **body):
        return ask("POST", self.url + "/embeddings", body, {"Authorization": "Bearer " + self.key})

    def embed(self, texts, model="all-MiniLM-L6-v2", **more):
        """The vectors of these texts, asked for by the test itself."""
        vectors = []
        for start in range(0, len(texts), 500):
            answer = self.request(model=model, input=texts[start:start + 500], **more)
            vectors += [part["embedding"] for part in sorted(answer["data"], key=lambda part: part["index"])]
        return vectors


def folders():
    os.environ.setdefault("QDRANT_DIR", os.environ["AUTOSYNC_ROOT"] + "-qdrant")
    os.environ.setdefault("EMBEDDER_DIR", os.environ["AUTOSYNC_ROOT"] + "-embedder")
