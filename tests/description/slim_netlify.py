"""Cuts Netlify's API description (Swagger 2.0) down to the calls that our simulator answers.

    python3 tests/description/slim_netlify.py swagger.json > tests/description/netlify.json

Requests and answers, in the form that slim.py gives Vercel's. Objects that do not say whether they
take other fields take none, in answers too: the simulator answers nothing that is not described.
"""

import json
import sys

from slim import TEXT, schema

OPERATIONS = [
    ("GET", "/user"),
    ("GET", "/accounts"),
    ("GET", "/accounts/{account_id}"),
    ("GET", "/accounts/{account_id}/env"),
    ("POST", "/accounts/{account_id}/env"),
    ("GET", "/accounts/{account_id}/env/{key}"),
    ("PUT", "/accounts/{account_id}/env/{key}"),
    ("PATCH", "/accounts/{account_id}/env/{key}"),
    ("DELETE", "/accounts/{account_id}/env/{key}"),
    ("DELETE", "/accounts/{account_id}/env/{key}/value/{id}"),
    # The description repeats the base path here.
    ("GET", "/api/v1/sites/{site_id}/env"),
    ("GET", "/sites"),
    ("GET", "/sites/{site_id}"),
    ("GET", "/{account_slug}/sites"),
    ("POST", "/sites/{site_id}/builds"),
    ("POST", "/oauth/tickets"),
    ("GET", "/oauth/tickets/{ticket_id}"),
    ("POST", "/oauth/tickets/{ticket_id}/exchange"),
]


def grant(kind, *fields):
    """The fields of a token request, all of them."""
    names = ("client_id", "client_secret", *fields)
    return {
        "type": "object",
        "properties": {"grant_type": {"const": kind}, **{name: TEXT for name in names}},
        "required": ["grant_type", *names],
        "additionalProperties": False,
    }


GRANT = {"anyOf": [
    grant("authorization_code", "code", "redirect_uri"),
    # RFC 6749, 6: should tokens end after all.
    grant("refresh_token", "refresh_token"),
]}

# Not in the description, but used by Netlify's own example, with the answers of RFC 6749 (5.1, 5.2):
# https://github.com/netlify-labs/oauth-example
EXCHANGE = {
    "id": "exchangeCode", "method": "POST", "path": "/oauth/token", "parameters": [],
    "body": {"required": True, "content": {
        "application/json": GRANT, "application/x-www-form-urlencoded": GRANT}},
    "answers": {
        "200": {
            "type": "object",
            "properties": {"access_token": TEXT, "token_type": TEXT, "scope": TEXT,
                           "expires_in": {"type": "integer"}, "refresh_token": TEXT},
            "required": ["access_token", "token_type"],
            "additionalProperties": False,
        },
        "default": {
            "type": "object",
            "properties": {"error": TEXT, "error_description": TEXT, "error_uri": TEXT},
            "required": ["error"],
            "additionalProperties": False,
        },
    },
}


def corrected(node):
    """Answers name this scope with an underscore; Netlify's CLI says that the description is wrong."""
    if isinstance(node, list):
        return [corrected(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: corrected(value) for key, value in node.items()}
    if "post-processing" in node.get("enum", []):
        node["enum"] = [*node["enum"], "post_processing"]
    return node


def operation(full, method, path):
    around = full["paths"].get(path, {})
    found = around.get(method.lower())
    if found is None:
        sys.exit(f"{method} {path} is not described")
    parameters, body = {}, None
    for parameter in [*around.get("parameters", []), *found.get("parameters", [])]:
        place, name = parameter["in"], parameter["name"]
        if place == "body":
            body = {"required": parameter.get("required", False),
                    "content": {"application/json": schema(full, parameter["schema"])}}
        elif place in ("path", "query"):
            kind = {key: parameter[key] for key in ("type", "enum") if key in parameter}
            parameters[place, name] = {"name": name, "in": place,
                                       "required": parameter.get("required", False), "schema": kind}
    answers = {status: corrected(schema(full, answer["schema"])) if "schema" in answer else None
               for status, answer in sorted(found["responses"].items())
               # A refusal without a schema looks as any other.
               if "schema" in answer or status.startswith("2")}
    slim = {"id": found["operationId"], "method": method, "path": full["basePath"] + path,
            "parameters": [parameters[key] for key in sorted(parameters)], "answers": answers}
    if body:
        slim["body"] = body
    return slim


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        full = json.load(file)
    operations = [*(operation(full, method, path) for method, path in OPERATIONS), EXCHANGE]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in operations)
    version = json.dumps(full["info"]["version"])
    print(f'{{"version":{version},"operations":[\n{lines}\n]}}')


main()
