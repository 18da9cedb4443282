"""How does a person read the API without a script from somebody else's server?

One page from the OpenAPI description. The usual Swagger page loads its code from a public
network into the room's own origin; a data room is often without that network, and should
not trust it anyway.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

Schema = Mapping[str, Any]  # OpenAPI's own free form

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
summary { cursor: pointer; padding: .4rem 0 } code, pre { font: 14px/1.4 ui-monospace, monospace }
pre { background: #f4f4f2; padding: .8rem; overflow-x: auto }
.verb { display: inline-block; width: 4rem; font-weight: 700 }
th, td { text-align: left; padding: .1rem 1rem .1rem 0; vertical-align: top }
"""


def render(openapi: Schema) -> HTMLResponse:
    """Write the page."""
    info = openapi["info"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info['description'])} The machine-readable description is ",
        "<a href='/openapi.json'>/openapi.json</a>.</p>",
        "<p>Under <code>/v1</code> send <code>Authorization: Bearer …</code>; every POST also ",
        "carries an <code>Idempotency-Key</code> of 16 to 64 letters, digits or dashes. Errors ",
        "have one shape:</p>",
        _example(openapi["components"]["schemas"]["Failure"], openapi),
        *_operations(openapi),
        "</body></html>",
    ]
    return HTMLResponse("".join(parts), headers={"Content-Security-Policy": _POLICY})


def _operations(openapi: Schema) -> Iterator[str]:
    section = None
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            (tag,) = operation["tags"]
            if tag != section:
                section = tag
                yield f"<h2>{escape(tag)}</h2>"
            yield _operation(path, method, operation, openapi)


def _operation(path: str, method: str, operation: Schema, openapi: Schema) -> str:
    told = escape(operation.get("description", ""))
    parts = [
        f"<details><summary><span class='verb'>{method.upper()}</span>",
        f"<code>{escape(path)}</code> — {told}</summary>",
    ]
    for item in operation.get("parameters", ()):
        note = escape(item.get("description", ""))
        parts.append(f"<p><code>{escape(item['name'])}</code> in {escape(item['in'])}. {note}</p>")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        parts.append(f"<h4>Body</h4>{_fields(body['schema'], openapi)}")
        parts.append(_example(body["schema"], openapi))
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json")
    if answer is not None and answer["schema"]:
        parts.append(f"<h4>Answer</h4>{_fields(answer['schema'], openapi)}")
    return "".join([*parts, "</details>"])


def _fields(schema: Schema, openapi: Schema) -> str:
    rows = [
        f"<tr><td><code>{escape(name)}</code><td>{escape(_type(field))}"
        f"<td>{escape(field.get('description', ''))}</tr>"
        for name, field in _resolve(schema, openapi).get("properties", {}).items()
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _type(field: Schema) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    return str(field.get("type", "any"))


def _example(schema: Schema, openapi: Schema) -> str:
    text = json.dumps(_sample(schema, openapi), indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>"


def _sample(schema: Schema, openapi: Schema, depth: int = 0) -> object:
    schema = _resolve(schema, openapi)
    if schema.get("examples"):
        return schema["examples"][0]
    match schema.get("type"):
        case "object" if depth < 6:
            fields = schema.get("properties", {}).items()
            return {name: _sample(field, openapi, depth + 1) for name, field in fields}
        case "array":
            return [_sample(schema.get("items", {}), openapi, depth + 1)]
        case "string":
            return "…"
        case _:
            return None


def _resolve(schema: Schema, openapi: Schema) -> Schema:
    first: Schema = next(iter(schema.get("anyOf", ())), {})
    if "$ref" in first:  # of several forms of a body the first is shown
        return _resolve(first, openapi)
    if "$ref" not in schema:
        return schema
    name = str(schema["$ref"]).rsplit("/", 1)[-1]
    found: Schema = openapi["components"]["schemas"][name]
    return found
