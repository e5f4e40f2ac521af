"""Evaluates a Tiltfile, whose language is a subset of Python, and prints its local resources as JSON.

Only what Tilt itself offers under these names exists for it: anything else is a NameError, a misspelt argument a TypeError.
"""

import ast
import json
import sys
from types import SimpleNamespace

path, root = sys.argv[1:3]
resources = []


def local_resource(name, cmd="", *, deps=None, ignore=None, resource_deps=None, serve_cmd="", env=None,
                   serve_env=None, readiness_probe=None, links=None, labels=None):
    resources.append({key: value for key, value in locals().items() if value not in ("", None)})


def probe(*, period_secs=10, timeout_secs=1, failure_threshold=3, http_get=None, tcp_socket=None):
    return {"http_get": http_get, "tcp_socket": tcp_socket}


def http_get_action(port, host="localhost", scheme="http", path=""):
    return {"port": port, "path": path}


def tcp_socket_action(port, host="localhost"):
    return {"port": port}


source = open(path, encoding="utf-8").read()
tree = ast.parse(source, path)
# Python that Starlark has not.
forbidden = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.While, ast.Try, ast.With, ast.JoinedStr, ast.Global, ast.Raise, ast.Is)
for node in ast.walk(tree):
    if isinstance(node, forbidden):
        sys.exit(f"{path}:{getattr(node, 'lineno', '?')}: {type(node).__name__} is not Starlark")

names = {"__builtins__": {"dict": dict}, "config": SimpleNamespace(main_dir=root)}
for function in (local_resource, probe, http_get_action, tcp_socket_action):
    names[function.__name__] = function
exec(compile(tree, path, "exec"), names)
json.dump(resources, sys.stdout)
