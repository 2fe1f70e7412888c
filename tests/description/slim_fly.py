"""Cuts Fly.io's description of its Machines API (OpenAPI 3.0) down to the calls that our simulator answers.

    python3 tests/description/slim_fly.py openapi.json > tests/description/fly.json

Requests and answers, in the form that slim.py gives Vercel's. Objects that do not say whether they take
other fields take none, in answers too, but for a machine and its config: a client of secrets reads next to
nothing of the one, and gives the other back as it was.
"""

import json
import sys

import slim
from slim import schema

OPERATIONS = [
    ("GET", "/v1/tokens/current"),
    ("GET", "/v1/apps"),
    ("GET", "/v1/apps/{app_name}"),
    ("GET", "/v1/apps/{app_name}/secrets"),
    ("POST", "/v1/apps/{app_name}/secrets"),
    ("GET", "/v1/apps/{app_name}/secrets/{secret_name}"),
    ("POST", "/v1/apps/{app_name}/secrets/{secret_name}"),
    ("DELETE", "/v1/apps/{app_name}/secrets/{secret_name}"),
    ("GET", "/v1/apps/{app_name}/machines"),
    ("GET", "/v1/apps/{app_name}/machines/{machine_id}"),
    ("POST", "/v1/apps/{app_name}/machines/{machine_id}"),
]

# Said in prose only ("with values to set, or nil to unset").
UNSETS = ("AppSecretsUpdateRequest", "values")


def corrected(full):
    name, field = UNSETS
    values = full["components"]["schemas"][name]["properties"][field]
    values["additionalProperties"]["nullable"] = True
    for name in ("Machine", "UpdateMachineRequest"):
        full["components"]["schemas"][name]["properties"]["config"] = {"type": "object"}
    full["components"]["schemas"]["Machine"]["additionalProperties"] = True
    return full


def answer(full, described):
    content = described.get("content", {}).get("application/json")
    return content and schema(full, content["schema"])


def operation(full, method, path):
    one = slim.operation(full, method, path)
    described = full["paths"][path][method.lower()]["responses"]
    one["answers"] = {status: answer(full, found) for status, found in sorted(described.items())}
    # Refusals are described for some calls and statuses; the documentation shows this form for all.
    one["answers"]["default"] = schema(full, full["components"]["schemas"]["ErrorResponse"])
    return one


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        full = corrected(json.load(file))
    lines = ",\n".join(json.dumps(operation(full, method, path), separators=(",", ":"))
                       for method, path in OPERATIONS)
    version = json.dumps(full["info"]["version"])
    print(f'{{"version":{version},"operations":[\n{lines}\n]}}')


main()
