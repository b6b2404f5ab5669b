"""Checks /openapi.json of a running demo: the document by a validator that knows 3.2, then that the gateway answers as
it says: every path, with GET and HEAD, refusals, and the events of its streams. `make openapi` has schemathesis ask more.
"""
import copy
import json
import sys
from urllib.parse import quote

import httpx
from httpx_sse import connect_sse
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV32SpecValidator

BASE = sys.argv[1]
EVENTS = 12
document = httpx.get(f"{BASE}/openapi.json").json()


def inside(value, at=()):
    """Every value in a document, with its place."""
    yield at, value
    for key, member in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from inside(member, (*at, key))


def refused(change):
    """Whether the validator refuses the document once it was changed so."""
    other = copy.deepcopy(document)
    change(other)
    return any(OpenAPIV32SpecValidator(other).iter_errors())


def whole():
    """The document is OpenAPI 3.2, also where the validator does not look: in the schemas of events."""
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV32SpecValidator(document).iter_errors()]
    assert not errors, errors
    answer = lambda it: it["paths"]["/stream"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    assert refused(lambda it: answer(it).update(itemSchema=7)), "the validator knows itemSchema"
    assert refused(lambda it: answer(it).update(itemScheme={})), "and nothing like it"
    for at, value in inside(document):
        if at and at[-1] == "$ref":
            target = document
            for part in value.removeprefix("#/").split("/"):
                target = target[part]
        if at and at[-1] in ("schema", "itemSchema") or at[:2] == ("components", "schemas") and len(at) == 3:
            Draft202012Validator.check_schema(value)


def closed():
    """The document with schemas that allow no member they do not name."""
    strict = copy.deepcopy(document)
    for _, value in inside(strict):
        if isinstance(value, dict) and value.get("type") == "object" and "properties" in value:
            value["additionalProperties"] = False
    # No column of the demo is called so: rows and changes can be told apart.
    strict["components"]["schemas"]["Row"]["properties"] = {"insert": False, "delete": False}
    return strict


STRICT = closed()


def check(value, schema):
    """The value is as the schema says, and what it holds as text, too."""
    Draft202012Validator({**schema, "components": STRICT["components"]}).validate(value)


def told(path):
    """The operations of a path, by the template that the document has for it."""
    bare = path.split("?")[0]
    if bare in document["paths"]:
        return STRICT["paths"][bare]
    if bare.startswith("/assets/"):
        return STRICT["paths"]["/assets/{file}"]
    ends = ("/stream", "/sql", "/dictionary")
    return STRICT["paths"][next((f"/{{view}}{end}" for end in ends if bare.endswith(end)), "/{view}")]


def ask(method, path, **headers):
    """Asks, and compares the answer with what the document says of it."""
    with httpx.stream(method, BASE + path, headers=headers) as answer:
        said = told(path)[method.lower()]["responses"]
        assert str(answer.status_code) in said, f"{method} {path}: {answer.status_code}"
        said = said[str(answer.status_code)]
        for name, header in said.get("headers", {}).items():
            assert name in answer.headers or not header.get("required"), f"{method} {path}: no {name}"
        kind = answer.headers.get("content-type", "").split(";")[0]
        if method == "HEAD" or answer.status_code == 304:
            assert "content" not in said, path
            return answer
        content = said["content"]
        assert kind in content, f"{path}: {kind}"
        if kind != "text/event-stream":
            answer.read()
            check(answer.json() if kind == "application/json" else answer.text, content[kind]["schema"])
        return answer


def paths():
    """Every path is answered as it says."""
    listed = httpx.get(f"{BASE}/views").json()["views"]
    views = [view["name"] for view in listed]
    files = document["paths"]["/assets/{file}"]["get"]["parameters"][0]["schema"]["enum"]
    for path in (path for path, methods in document["paths"].items() if "get" in methods):
        for filled in (
            [view["sql"] for view in listed if view["sql"]] if path == "/{view}/sql"
            # A view without rows has no dictionary.
            else [f"/{quote(view['name'])}/dictionary" for view in listed if view["rows"]] if path == "/{view}/dictionary"
            else [path.replace("{view}", quote(view)) for view in views] if "{view}" in path
            else [path.replace("{file}", file) for file in files] if "{file}" in path
            else ["/stream?view=" + "&view=".join(map(quote, views[:3]))] if path == "/stream"
            else [path]
        ):
            for method in ("GET", "HEAD"):
                answer = ask(method, filled)
                assert answer.status_code == 200, f"{method} {filled}: {answer.status_code}"
            if "etag" in answer.headers and "{view}" not in path:
                assert ask("GET", filled, **{"If-None-Match": answer.headers["etag"]}).status_code == 304, filled
    wrong = {"/nosuch": 404, "/nosuch/stream": 404, "/nosuch/sql": 404, "/nosuch/dictionary": 404, "/mz_catalog.mz_views/sql": 404, "/assets/nosuch": 404, "/%ff": 400, "/top10?nosuch=eq.1": 400}
    wrong |= {"/stream": 400, "/stream?view=top10&view=nosuch": 404, "/stream?view=top10&view=top10": 400, "/top10?user=1": 400}
    for path, status in wrong.items():
        assert ask("GET", path).status_code == status, path
    assert ask("GET", "/healthz", Cookie="x" * 40_000).status_code == 431


def events():
    """The events of streams are as the schema of their items says, and their data as its contentSchema says."""
    for path in ("/top10/stream", "/stream?view=top10&view=counter"):
        schema = told(path)["get"]["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]
        kinds = STRICT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["oneOf"]
        with httpx.Client(timeout=30) as client, connect_sse(client, "GET", BASE + path) as source:
            # A block with `retry` alone is no event to the standard's parser; to this one it is.
            for count, event in enumerate(event for event in source.iter_sse() if event.data):
                item = {"event": event.event, "data": event.data} | ({"id": event.id} if event.id else {}) | ({"retry": event.retry} if event.retry else {})
                # The library repeats the last id where an event has none.
                if event.event.rpartition(".")[2] in ("upstream", "gone") or "." in event.event:
                    item.pop("id", None)
                check(item, schema)
                fitting = [kind for kind in kinds if Draft202012Validator({**kind, "components": STRICT["components"]}).is_valid(item)]
                assert len(fitting) == 1, (item, fitting)
                check(json.loads(event.data), fitting[0]["properties"]["data"]["contentSchema"])
                if count == EVENTS:
                    break


whole()
paths()
events()
print(f"{len(document['paths'])} paths, as they say")
