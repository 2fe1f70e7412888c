"""Cuts Vercel's API description down to the requests of the calls that our client makes.

    python3 tests/description/slim.py FULL_DESCRIPTION.json > tests/description/vercel.json

Answers are left out: the client reads those leniently, on purpose. What is left is plain JSON Schema
(2020-12): references are resolved, OpenAPI 3.0's `nullable` becomes the type `null`, and prose goes.
An object that does not say whether it takes other fields takes none here, since a field that the
vendor does not describe is a misspelling of ours.
"""

import json
import sys

OPERATIONS = [
    ("GET", "/v10/projects/{idOrName}/env"),
    ("POST", "/v10/projects/{idOrName}/env"),
    ("GET", "/v1/projects/{idOrName}/env/{id}"),
    ("PATCH", "/v9/projects/{idOrName}/env/{id}"),
    ("DELETE", "/v1/projects/{idOrName}/env"),
    ("GET", "/v9/projects/{idOrName}/custom-environments"),
    ("GET", "/v10/projects"),
    ("GET", "/v9/projects/{idOrName}"),
    ("GET", "/v2/user"),
    ("GET", "/v2/teams/{teamId}"),
    ("DELETE", "/v1/integrations/configuration/{id}"),
    ("POST", "/v2/oauth/access_token"),
]

TEXT = {"type": "string"}

# Not in the description, but in the documentation:
# https://vercel.com/docs/integrations/create-integration/vercel-api-integrations
DOCUMENTED = {
    ("POST", "/v2/oauth/access_token"): {
        "operationId": "exchangeIntegrationCode",
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": {
            "type": "object",
            "properties": {name: TEXT for name in ("client_id", "client_secret", "code", "redirect_uri")},
            "required": ["client_id", "client_secret", "code", "redirect_uri"],
        }}}},
    },
}

PROSE = {"title", "description", "example", "examples", "default", "deprecated", "externalDocs"}
# Keywords whose value maps names of the vendor's choice to schemas.
NAMED = {"properties", "patternProperties"}
# Keywords whose value is data.
DATA = {"enum", "const", "required"}


def resolve(full, node):
    while "$ref" in node:
        found = full
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def schema(full, node, closed=True):
    """A schema of OpenAPI 3.0 as JSON Schema. `closed` is false where another schema adds fields."""
    if not isinstance(node, dict):
        return node
    node = resolve(full, node)
    slim = {}
    for key, value in node.items():
        if key in PROSE or key == "nullable" or key.startswith("x-"):
            continue
        if key in NAMED:
            slim[key] = {name: schema(full, field) for name, field in value.items()}
        elif key in DATA or not isinstance(value, (dict, list)):
            slim[key] = value
        elif isinstance(value, list):
            whole = closed and key != "allOf" and "properties" not in node
            slim[key] = [schema(full, item, whole) for item in value]
        else:
            slim[key] = schema(full, value)
    if closed and "properties" in slim and "allOf" not in slim:
        slim.setdefault("additionalProperties", False)
    if node.get("nullable"):
        if "type" not in slim:
            return {"anyOf": [slim, {"type": "null"}]}
        slim["type"] = [slim["type"], "null"]
        if "enum" in slim:
            slim["enum"] = [*slim["enum"], None]
    return slim


def operation(full, method, path):
    around = full["paths"].get(path, {})
    found = around.get(method.lower()) or DOCUMENTED.get((method, path))
    if found is None:
        sys.exit(f"{method} {path} is not described")
    parameters = {}
    for parameter in [*around.get("parameters", []), *found.get("parameters", [])]:
        parameter = resolve(full, parameter)
        if parameter["in"] not in ("path", "query"):
            continue
        parameters[parameter["in"], parameter["name"]] = {
            "name": parameter["name"],
            "in": parameter["in"],
            "required": parameter.get("required", False),
            "schema": schema(full, parameter.get("schema", {})),
        }
    slim = {"id": found["operationId"], "method": method, "path": path,
            "parameters": [parameters[key] for key in sorted(parameters)]}
    body = resolve(full, found.get("requestBody") or {})
    if body:
        slim["body"] = {
            "required": body.get("required", False),
            "content": {media: schema(full, content.get("schema", {}))
                        for media, content in sorted(body["content"].items())},
        }
    return slim


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        full = json.load(file)
    operations = [operation(full, method, path) for method, path in OPERATIONS]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in operations)
    version = json.dumps(full["info"]["version"])
    print(f'{{"version":{version},"operations":[\n{lines}\n]}}')


if __name__ == "__main__":
    main()
