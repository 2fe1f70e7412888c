"""Cuts Railway's schema down to what our operations use."""

import re
import sys

# The fields that we ask for, by type. Inputs, enums and scalars are kept where something refers to them.
FIELDS = {
    "Query": "apiToken deployments environment environmentStagedChanges externalWorkspaces me project "
             "projectToken projects variables variablesForServiceDeployment workspace",
    "Mutation": "deploymentRedeploy environmentPatchCommit environmentPatchCommitStaged "
                "environmentStageChanges serviceInstanceDeployV2 serviceInstanceRedeploy "
                "sharedVariableConfigure variableCollectionUpsert variableDelete variableUpsert",
    "ApiTokenContext": "workspaces",
    "ApiTokenRateLimit": "remainingPoints resetsAt",
    "ApiTokenWorkspace": "id name",
    "Deployment": "id serviceId status",
    "DeploymentTrigger": "branch provider repository serviceId",
    "Environment": "canAccess config configEtag deletedAt deploymentTriggers id isEphemeral name "
                   "serviceInstances variables",
    "EnvironmentPatch": "id patch status",
    "ExternalWorkspace": "id name projects",
    "PageInfo": "endCursor hasNextPage",
    "Project": "deletedAt environments id name primaryEnvironmentId services",
    "ProjectToken": "environment environmentId id project projectId",
    "Service": "deletedAt id name repoTriggers",
    "ServiceInstance": "builder serviceId serviceName source",
    "ServiceSource": "image repo",
    "User": "apiTokenRateLimit email id name workspaces",
    "Variable": "createdAt id isSealed name references service serviceId updatedAt",
    "Workspace": "id name projects",
}


def main() -> None:
    schema = re.sub(r'""".*?"""\n?', "", sys.stdin.read(), flags=re.S)
    schema = re.sub(r"^\s*#.*\n", "", schema, flags=re.M)
    found = {name: (kind, [line.strip() for line in (body or "").splitlines() if line.strip()])
             for kind, name, body in re.findall(
                 r"^(scalar|enum|input|type) (\w+)(?: \{\n(.*?)^\})?", schema, flags=re.S | re.M)}
    kept, open_ = {}, ["Query", "Mutation"]
    while open_:
        name = open_.pop()
        if name in kept or name not in found:
            continue
        kind, lines = found[name]
        if kind == "type" and not re.search(r"Connection(Edge)?$", name):
            wanted = set(FIELDS[name].split())
            lines = [line for line in lines if re.match(r"\w+", line)[0] in wanted]
            missing = wanted - {re.match(r"\w+", line)[0] for line in lines}
            if missing:
                sys.exit(f"{name} has no {', '.join(sorted(missing))}")
        kept[name] = (kind, lines)
        if kind != "enum":
            open_ += re.findall(r"\w+", " ".join(lines))
    parts = []
    for name, (kind, lines) in sorted(kept.items()):
        body = " {\n" + "".join(f"  {line}\n" for line in lines) + "}" if lines else ""
        parts.append(f"{kind} {name}{body}\n")
    print("\n".join(parts), end="")


main()
