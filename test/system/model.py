"""What the graph has to hold for the tables of a schema, worked out from PostgreSQL's catalogs and rows alone, and what it holds."""
import datetime
import decimal
import re


def name_of(identifier):
    """A label or type in Cypher."""
    return "`%s`" % identifier.replace("`", "``")


class Table:
    def __init__(self, name):
        self.name = name
        self.columns = []       # (name, type text)
        self.key = []           # column names
        self.foreign_keys = []  # ForeignKey

    @property
    def is_join(self):
        """Its primary key is exactly its two foreign keys."""
        return len(self.foreign_keys) == 2 and sorted(self.key) == sorted(self.foreign_keys[0].columns + self.foreign_keys[1].columns)


class ForeignKey:
    def __init__(self, name, columns, parent, referenced):
        self.name = name
        self.columns = columns
        self.parent = parent
        self.referenced = referenced

    @property
    def type(self):
        return "_".join(re.sub("_id$", "", column) for column in self.columns).upper()


def tables_of(database, schema="public"):
    tables = {}
    for (name,) in database.execute("SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = %s::regnamespace AND NOT relispartition", schema):
        tables[name] = Table(name)
    for name, column, kind in database.execute(
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE c.relnamespace = %s::regnamespace AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum", schema):
        if name in tables:
            tables[name].columns.append((column, kind))
    columns = "ARRAY(SELECT a.attname::text FROM unnest(%s) WITH ORDINALITY k(n, o) JOIN pg_attribute a ON a.attrelid = %s AND a.attnum = k.n ORDER BY k.o)"
    for kind, name, constraint, local, parent, referenced in database.execute(
            "SELECT contype::text, (SELECT relname::text FROM pg_class WHERE oid = conrelid), conname::text, %s,"
            " (SELECT relname::text FROM pg_class WHERE oid = confrelid), %s FROM pg_constraint"
            " WHERE connamespace = '%s'::regnamespace AND contype IN ('p', 'f') AND conparentid = 0 ORDER BY conname"
            % (columns % ("conkey", "conrelid"), columns % ("confkey", "confrelid"), schema)):
        if name not in tables:
            continue
        if kind == "p":
            tables[name].key = local
        else:
            tables[name].foreign_keys.append(ForeignKey(constraint, local, parent, referenced))
    for table in tables.values():
        # A join table points from the foreign key that comes first in its key to the other one.
        if table.is_join:
            table.foreign_keys.sort(key=lambda link: table.key.index(link.columns[0]))
    return tables


def expected_value(value, kind):
    """A column's value as Neo4j answers with it."""
    if value is None:
        return None
    if isinstance(value, decimal.Decimal):
        digits = re.fullmatch(r"numeric\((\d+),\d+\)", kind)
        return float(value) if digits and int(digits.group(1)) <= 15 else str(value)
    if isinstance(value, datetime.datetime) and value.tzinfo:
        return value.astimezone(datetime.timezone.utc)
    return value


def held_value(value, kind):
    """Neo4j's answer in the form that expected_value has: its temporal values are written shorter when seconds are zero."""
    if value is None or not isinstance(value, str):
        return value
    if kind == "date":
        return datetime.date.fromisoformat(value)
    if kind.startswith("timestamp"):
        moment = datetime.datetime.fromisoformat(re.sub(r"\[.*\]$", "", value).replace("Z", "+00:00"))
        return moment.astimezone(datetime.timezone.utc) if moment.tzinfo else moment
    return value


def quoted(identifier):
    return '"%s"' % identifier.replace('"', '""')


def rows_of(connection, table):
    with connection.cursor() as cursor:
        cursor.execute('SELECT %s FROM %s' % (", ".join(quoted(name) for name, _ in table.columns), quoted(table.name)))
        return [dict(zip([name for name, _ in table.columns], row)) for row in cursor.fetchall()]


def pick(row, columns):
    return tuple(row[column] for column in columns)


def difference(what, expected, held):
    """Both as {identity: content}; a few lines of what differs, empty when nothing does."""
    lines = []
    for title, identities in (("missing", expected.keys() - held.keys()), ("extra", held.keys() - expected.keys()),
                              ("different", {key for key in expected.keys() & held.keys() if expected[key] != held[key]})):
        if identities:
            examples = sorted(identities, key=repr)[:3]
            lines.append("%s: %d %s, for example %s" % (what, len(identities), title, [(key, expected.get(key), held.get(key)) for key in examples]))
    return lines


def node_content(properties, table):
    kinds = dict(table.columns)
    return {name: held_value(value, kinds.get(name, "text")) for name, value in properties.items() if not name.startswith("_")}


def compare(database, graph, schema="public"):
    """Compares the graph with all tables of the schema, entity by entity; returns lines that say what differs."""
    tables = tables_of(database, schema)
    connection = database.connect()
    connection.autocommit = False
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    try:
        rows = {name: rows_of(connection, table) for name, table in tables.items()}
    finally:
        connection.close()
    lines = []
    node_total = relationship_total = 0
    for name, table in sorted(tables.items()):
        kinds = dict(table.columns)
        content = {pick(row, table.key): {column: expected_value(value, kinds[column]) for column, value in row.items() if value is not None} for row in rows[name]}
        if table.is_join:
            ends = [tables[link.parent] for link in table.foreign_keys]
            held = {}
            for start, end, properties in graph.rows("MATCH (a:%s)-[r:%s]->(b:%s) RETURN properties(a), properties(b), properties(r)"
                                                     % (name_of(ends[0].name), name_of(name.upper()), name_of(ends[1].name))):
                values = dict(zip(table.foreign_keys[0].columns, pick(start, table.foreign_keys[0].referenced)))
                values.update(zip(table.foreign_keys[1].columns, pick(end, table.foreign_keys[1].referenced)))
                key = tuple(held_value(values[column], kinds[column]) for column in table.key)
                if key in held:
                    lines.append("%s: two relationships for %s" % (name, key))
                # The ends say it already; whether the key columns are properties too is up to the product.
                held[key] = {**{column: held_value(value, kinds[column]) for column, value in values.items()}, **node_content(properties, table)}
            relationship_total += len(content)
            lines += difference("relationships " + name, content, held)
            continue
        held = {}
        for (properties,) in graph.rows("MATCH (n:%s) RETURN properties(n)" % name_of(name)):
            key = tuple(held_value(properties.get(column), kinds[column]) for column in table.key)
            if key in held:
                lines.append("%s: two nodes for %s" % (name, key))
            held[key] = node_content(properties, table)
        node_total += len(content)
        lines += difference("nodes " + name, content, held)
        for link in table.foreign_keys:
            parents = {pick(row, link.referenced): pick(row, tables[link.parent].key) for row in rows[link.parent]}
            wanted = {(pick(row, table.key), parents[pick(row, link.columns)]): 1 for row in rows[name] if None not in pick(row, link.columns)}
            found = {}
            for start, end in graph.rows("MATCH (a:%s)-[r:%s]->(b:%s) RETURN properties(a), properties(b)"
                                         % (name_of(name), name_of(link.type), name_of(link.parent))):
                parent = tables[link.parent]
                pair = (tuple(held_value(start.get(column), kinds[column]) for column in table.key),
                        tuple(held_value(end.get(column), dict(parent.columns)[column]) for column in parent.key))
                found[pair] = found.get(pair, 0) + 1
            relationship_total += len(wanted)
            lines += difference("relationships %s.%s" % (name, link.type), wanted, found)
    # Nothing else is to be seen: no label of ours is missing above, and every relationship joins two living nodes.
    public = "ANY(label IN labels(%s) WHERE NOT label STARTS WITH '_')"
    nodes = graph.rows("MATCH (n) WHERE %s RETURN count(n)" % (public % "n"))[0][0]
    if nodes != node_total:
        lines.append("%d nodes have a public label, expected %d" % (nodes, node_total))
    relationships = graph.rows("MATCH (a)-[r]->(b) WHERE %s AND %s RETURN count(r)" % (public % "a", public % "b"))[0][0]
    if relationships != relationship_total:
        lines.append("%d relationships between nodes with a public label, expected %d" % (relationships, relationship_total))
    return lines
