"""Lets two of three requests be about things that there are: what is made up from the document alone
names nothing that exists. What was made to be wrong stays so."""

import json
import os
import zlib

import schemathesis
from schemathesis.core.parameters import ParameterLocation as Location
from schemathesis.generation import GenerationMode

KNOWN = json.loads(os.environ["KEYWAY_KNOWN"])
# By the part of a path that stands before the id.
BELOW = {
    "api-keys": KNOWN["key"],
    "connections": KNOWN["connection"],
    "jobs": KNOWN["job"],
    "links": KNOWN["link"],
    "secrets": KNOWN["secret"],
    "webhooks": KNOWN["webhook"],
}
NAMES = {"owner": "acme", "repo": "my-app", "name": "staging", "provider": "vercel", "version": KNOWN["version"]}
FIELDS = {
    "connectionId": KNOWN["connection"],
    "projectId": "prj_myapp",
    "keywayEnvironment": "staging",
    "providerEnvironment": "preview",
    "environment": "staging",
    "repoFullName": "acme/my-app",
    "repo": "acme/my-app",
    "vault": "acme/my-app",
}
# These take what the others need.
DESTROY = {"delete_vault", "delete_connection", "delete_secret", "delete_link", "delete_webhook",
           "delete_environment", "rename_environment", "revoke_api_key", "create_vault"}


def is_right(case, location):
    components = case.meta.components if case.meta else {}
    component = components.get(location)
    return component is None or component.mode == GenerationMode.POSITIVE


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId", "")
    if operation == "create_pause" and isinstance(case.body, dict) and is_right(case, Location.BODY):
        # No job of the others waits for its end: that would be a 503, as it should.
        case.body["provider"] = "netlify"
    if operation in DESTROY or zlib.crc32(case.as_curl_command().encode()) % 3 == 0:
        return
    if case.path_parameters and is_right(case, Location.PATH):
        parts = case.operation.path.split("/")
        for name in case.path_parameters:
            before = parts[parts.index("{" + name + "}") - 1]
            known = BELOW.get(before) if name == "id" else NAMES.get(name)
            if known:
                case.path_parameters[name] = known
    if case.query and is_right(case, Location.QUERY):
        case.query.update({name: known for name, known in FIELDS.items() if name in case.query})
    if isinstance(case.body, dict) and is_right(case, Location.BODY):
        case.body.update({name: known for name, known in FIELDS.items() if name in case.body})
