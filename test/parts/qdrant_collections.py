"""Stands for the collections and aliases of a Qdrant server: each collection is a shard of Qdrant's own engine with one writer, in arrival order."""
import json
import os
import queue
import re
import shutil
import threading

import qdrant_edge as engine
from qdrant_requests import DISTANCES, Refused, malformed, need, wrong


def write_json(path, value):
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def refusal(error):
    """What the server makes of an error of the engine."""
    message = str(error)
    if message.startswith("No point with id"):
        return Refused(404, "Not found: " + message + ("" if message.endswith("found") else " found"))
    if re.match(r"(Vector|Not existing|Wrong|Bad|Index required|Missed|Multi|Expected)", message) or "vector" in message.lower():
        return wrong(message)
    return Refused(500, "Service internal error: " + message)


class Collection:
    """wait=false answers before the operation is applied, as in the server; unlike there, such an operation is in memory alone until then."""

    def __init__(self, folder, config=None):
        self.folder = folder
        meta, shard = os.path.join(folder, "standin.json"), os.path.join(folder, "shard")
        if config is None:
            with open(meta, encoding="utf-8") as file:
                config = json.load(file)
            self.shard = engine.EdgeShard.load(shard)
        self.config = config
        given = config.get("vectors") or {}
        self.vectors = {"": given} if "size" in given else given
        self.sizes = {name: parameters["size"] for name, parameters in self.vectors.items()}
        if not os.path.exists(meta):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(shard)
            self.shard = engine.EdgeShard.create(shard, engine.EdgeConfig(
                vectors={name: engine.EdgeVectorParams(size=parameters["size"], distance=getattr(engine.Distance, parameters["distance"]))
                         for name, parameters in self.vectors.items()},
                sparse_vectors={name: engine.EdgeSparseVectorParams() for name in config.get("sparse_vectors") or {}}))
            write_json(meta, config)  # last: a folder without it is none, after a kill in the middle
        self.operation = 0
        self.queue = queue.Queue()
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def write(self):
        while (item := self.queue.get()) is not None:
            operation, errors, done = item
            try:
                self.shard.update(operation)
            except BaseException as error:  # the engine panics with exceptions that are no Exception
                errors.append(error)
            done.set()

    def update(self, operation, wait, timeout=None):
        self.operation += 1
        item = (operation, [], threading.Event())
        number = self.operation
        self.queue.put(item)
        if not wait:
            return {"operation_id": number, "status": "acknowledged"}
        if timeout == "0" or not item[2].wait(None if timeout is None else float(timeout)):
            return {"operation_id": number, "status": "wait_timeout"}
        if item[1]:
            raise refusal(item[1][0])
        return {"operation_id": number, "status": "completed"}

    @staticmethod
    def read(question):
        try:
            return question()
        except Exception as error:
            raise refusal(error) from error

    def drop(self):
        self.queue.put(None)
        self.writer.join()
        self.shard.close()
        shutil.rmtree(self.folder)


class Storage:
    def __init__(self, path):
        self.path = path
        self.lock = threading.RLock()
        os.makedirs(os.path.join(path, "collections"), exist_ok=True)
        self.collections = {}
        for name in os.listdir(os.path.join(path, "collections")):
            if os.path.exists(os.path.join(path, "collections", name, "standin.json")):
                self.collections[name] = Collection(os.path.join(path, "collections", name))
        self.aliases = {}
        if os.path.exists(self.alias_file):
            with open(self.alias_file, encoding="utf-8") as file:
                self.aliases = json.load(file)

    @property
    def alias_file(self):
        return os.path.join(self.path, "aliases.json")

    def collection(self, name):
        """By its name or an alias."""
        with self.lock:
            found = self.collections.get(self.aliases.get(name, name))
            if found is None:
                raise Refused(404, "Not found: Collection `%s` doesn't exist!" % name)
            return found

    def exists(self, name):
        with self.lock:
            return self.aliases.get(name, name) in self.collections

    def create(self, name, body):
        if set(name) & set('<>:"/\\|?*\0'):
            raise Refused(422, "Validation error in path parameters: [name: value %s invalid, collection name cannot contain special characters]" % json.dumps(name))
        vectors = body.get("vectors") or {}
        for parameters in [vectors] if "size" in vectors or "distance" in vectors else list(vectors.values()):
            if need(parameters, "distance") not in DISTANCES or type(need(parameters, "size")) is not int or parameters["size"] < 1:
                raise malformed("data did not match any variant of untagged enum VectorsConfig")
        with self.lock:
            if name in self.collections:
                raise Refused(409, "Wrong input: Collection `%s` already exists!" % name)
            if name in self.aliases:
                raise wrong("Can't create collection with name %s. Alias with the same name already exists" % name)
            folder = os.path.join(self.path, "collections", name)
            self.collections[name] = Collection(folder, {part: body[part] for part in ("vectors", "sparse_vectors") if body.get(part)})
        return True

    def drop(self, name):
        """By its own name only: for an alias the server answers false too. Aliases of it go with it."""
        with self.lock:
            self.aliases = {alias: collection for alias, collection in self.aliases.items() if collection != name}
            write_json(self.alias_file, self.aliases)
            dropped = self.collections.pop(name, None)
            if dropped is not None:
                dropped.drop()
        return dropped is not None

    def change_aliases(self, actions):
        """Nobody sees a half of it. As in the server, what came before an action that is refused stays."""
        with self.lock:
            try:
                for action in actions:
                    self.change_alias(action)
            finally:
                write_json(self.alias_file, self.aliases)
        return True

    def change_alias(self, action):
        if not isinstance(action, dict) or len(action) != 1 or next(iter(action)) not in ("create_alias", "delete_alias", "rename_alias"):
            raise malformed("data did not match any variant of untagged enum AliasOperations")
        (kind, what), = action.items()
        if kind == "create_alias":  # an alias that is there is moved
            collection, alias = need(what, "collection_name"), need(what, "alias_name")
            if collection not in self.collections:
                raise Refused(404, "Not found: Collection `%s` doesn't exist!" % collection)
            if alias in self.collections:
                raise Refused(409, "Wrong input: Collection `%s` already exists!" % alias)
            self.aliases[alias] = collection
        elif kind == "delete_alias":  # one that is not there is no error
            self.aliases.pop(need(what, "alias_name"), None)
        else:
            old, new = need(what, "old_alias_name"), need(what, "new_alias_name")
            if old not in self.aliases:
                raise Refused(404, "Not found: Alias %s does not exists!" % old)
            self.aliases[new] = self.aliases.pop(old)

    def list_aliases(self, collection=None):
        with self.lock:
            return {"aliases": [{"alias_name": alias, "collection_name": name} for alias, name in sorted(self.aliases.items()) if collection in (None, name)]}
