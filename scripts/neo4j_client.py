#!/usr/bin/python3
"""Neo4j over HTTP with what Python brings along: for scripts/neo4j, the demo and the system tests.

As a program: neo4j_client.py 'QUERY' prints a table. NEO4J_URL, NEO4J_USER and NEO4J_PASSWORD say where (see scripts/neo4j env).
"""
import base64
import http.client
import json
import os
import sys
import urllib.parse


class CypherError(Exception):
    pass


class Neo4j:
    """One connection that is kept alive; opened anew when the server has closed it."""

    def __init__(self, url, user, password, database="neo4j"):
        self.url = url
        self.user = user
        self.password = password
        self.address = urllib.parse.urlsplit(url).netloc
        self.path = "/db/%s/tx/commit" % database
        secret = base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
        self.headers = {"Authorization": "Basic " + secret, "Content-Type": "application/json"}
        self.connection = None

    @classmethod
    def from_environment(cls):
        return cls(os.environ["NEO4J_URL"], os.environ.get("NEO4J_USER", "neo4j"), os.environ["NEO4J_PASSWORD"])

    def run(self, query, **parameters):
        """Columns and rows (lists of values) of one query."""
        body = json.dumps({"statements": [{"statement": query, "parameters": parameters}]})
        for attempt in (1, 2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection(self.address, timeout=120)
                self.connection.request("POST", self.path, body, self.headers)
                answer = json.loads(self.connection.getresponse().read())
                break
            except (OSError, http.client.HTTPException, ValueError):
                self.connection = None
                if attempt == 2:
                    raise
        for error in answer["errors"]:
            raise CypherError("%s: %s" % (error["code"], error["message"]))
        result = answer["results"][0]
        return result["columns"], [entry["row"] for entry in result["data"]]

    def rows(self, query, **parameters):
        return self.run(query, **parameters)[1]


def text(value):
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (bool, int, float, list, dict)) else str(value)


def table(columns, rows):
    """Columns and rows as psql draws them."""
    cells = [list(map(text, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    lines = [" " + " | ".join(name.center(width) for name, width in zip(columns, widths)).rstrip()]
    lines.append("-" + "-+-".join("-" * width for width in widths) + "-")
    lines += [" " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
    lines.append("(%d row%s)" % (len(rows), "" if len(rows) == 1 else "s"))
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        print(table(*Neo4j.from_environment().run(sys.argv[1])))
    except CypherError as error:
        sys.exit(str(error))
