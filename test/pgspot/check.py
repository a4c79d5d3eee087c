"""Prints what pgspot says against the SQL scripts that are named: names that the search path could lead elsewhere, objects that are replaced instead of created."""
import pathlib
import subprocess
import sys

from pglast import parse_sql, split


def checked(script):
    """pgspot does not know function bodies that are parsed when they are made; these have no search path of their own."""
    text = "\n".join(line for line in script.read_text().splitlines() if not line.startswith("\\"))
    return ";\n".join(part for part in split(text) if getattr(parse_sql(part)[0].stmt, "sql_body", None) is None) + ";\n"


pgspot = pathlib.Path(sys.executable).with_name("pgspot")
for script in map(pathlib.Path, sys.argv[1:]):
    done = subprocess.run([pgspot], input=checked(script), capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr)
