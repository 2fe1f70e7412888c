//! Variables: list, read, create, upsert, edit, delete.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::{Env, EnvSeed, Options, Project, Token};
use super::rules::{check, refusal};

/// A status and a body.
pub(super) type Reply = (u16, Value);

pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    (
        status,
        json!({ "error": { "code": code, "message": message } }),
    )
}

/// Pages go from the newest change to the oldest; `until` is the time the page before ended at.
pub(super) fn list(
    project: &Project,
    query: &BTreeMap<String, String>,
    options: &Options,
) -> Reply {
    let mut envs: Vec<&Env> = project.envs.iter().collect();
    envs.sort_by_key(|env| std::cmp::Reverse(env.updated_at));
    if let Some(target) = query.get("target") {
        envs.retain(|env| env.seed.target.contains(target));
    }
    if let Some(branch) = query.get("gitBranch") {
        envs.retain(|env| env.seed.git_branch.as_ref() == Some(branch));
    }
    if let Some(custom) = custom_environment(project, query) {
        envs.retain(|env| env.seed.custom_environment_ids.contains(&custom));
    }
    let show = if options.decrypt_lists && query.get("decrypt").is_some_and(|yes| yes == "true") {
        Env::listed_decrypted
    } else {
        Env::shown
    };
    if options.hide_production {
        let all = envs.len();
        envs.retain(|env| !env.seed.target.iter().any(|target| target == "production"));
        let hidden = all - envs.len();
        let envs: Vec<Value> = envs.into_iter().map(show).collect();
        return (
            200,
            json!({ "envs": envs, "hiddenProductionEnvCount": hidden }),
        );
    }
    if let Some(until) = query
        .get("until")
        .and_then(|until| until.parse::<u64>().ok())
    {
        envs.retain(|env| env.updated_at < until);
    }
    let size = query
        .get("limit")
        .and_then(|limit| limit.parse().ok())
        .or(options.page_size)
        .unwrap_or(usize::MAX);
    let more = envs.len() > size;
    envs.truncate(size);
    let next = envs.last().filter(|_| more).map(|env| env.updated_at);
    let prev = envs.first().map(|env| env.updated_at);
    let count = envs.len();
    let envs: Vec<Value> = envs.into_iter().map(show).collect();
    (
        200,
        json!({ "envs": envs, "pagination": { "count": count, "next": next, "prev": prev } }),
    )
}

/// The custom environment that a list is asked for, by id or by slug.
fn custom_environment(project: &Project, query: &BTreeMap<String, String>) -> Option<String> {
    if let Some(id) = query.get("customEnvironmentId") {
        return Some(id.clone());
    }
    let slug = query.get("customEnvironmentSlug")?;
    let known = project.custom.iter().find(|(_, known)| known == slug);
    Some(known.map_or_else(String::new, |(id, _)| id.clone()))
}

pub(super) fn read(project: &Project, id: &str) -> Reply {
    match project.envs.iter().find(|env| env.id == id) {
        Some(env) => (200, env.decrypted()),
        None => error(404, "not_found", "Environment variable not found"),
    }
}

/// Who writes, when, with what options.
pub(super) struct Writer<'a> {
    pub(super) token: &'a Token,
    pub(super) options: &'a Options,
    pub(super) at: &'a dyn Fn() -> u64,
    pub(super) new_id: &'a mut dyn FnMut() -> String,
    /// Keys that a fault makes fail, and the code.
    pub(super) fail: Option<(Vec<String>, String)>,
}

/// One body or an array of them; each stands or falls alone.
pub(super) fn create(
    project: &mut Project,
    body: &Value,
    upsert: bool,
    writer: &mut Writer<'_>,
) -> Reply {
    let (items, single) = match body {
        Value::Array(items) => (items.as_slice(), false),
        item @ Value::Object(_) => (std::slice::from_ref(item), true),
        _ => return error(400, "bad_request", "Invalid body"),
    };
    if items.len() > writer.options.max_batch {
        return error(400, "TOO_MANY_KEYS", "Too many keys");
    }
    let (mut created, mut failed) = (Vec::new(), Vec::new());
    for item in items {
        let Ok(mut seed) = serde_json::from_value::<EnvSeed>(item.clone()) else {
            return error(400, "bad_request", "Invalid body: should match the schema");
        };
        seed.configuration_id.clone_from(&writer.token.installation);
        seed.legacy = false;
        match create_one(project, seed.clone(), upsert, writer) {
            Ok(env) => created.push(env),
            Err(item) => failed.push(item),
        }
    }
    if created.is_empty() && writer.options.failed_beside_error {
        let code = failed[0]["error"]["code"].clone();
        let body = json!({ "error": { "code": code, "message": "Nothing was created" },
            "failed": failed });
        return (400, body);
    }
    let created = if single {
        created.pop().unwrap_or(Value::Null)
    } else {
        Value::Array(created)
    };
    (201, json!({ "created": created, "failed": failed }))
}

fn create_one(
    project: &mut Project,
    mut seed: EnvSeed,
    upsert: bool,
    writer: &mut Writer<'_>,
) -> Result<Value, Value> {
    if let Some((keys, code)) = &writer.fail
        && keys.contains(&seed.key)
    {
        return Err(json!({ "error": { "code": code, "envVarKey": seed.key,
            "message": format!("Refused: {}", seed.value), "target": seed.target } }));
    }
    if seed.kind.is_empty() {
        "encrypted".clone_into(&mut seed.kind);
    }
    let promoted = writer.options.promote_to_sensitive
        && seed.target.iter().all(|target| target != "development");
    if promoted {
        "sensitive".clone_into(&mut seed.kind);
    }
    check(project, &seed).map_err(|refusal| refusal.item(&seed))?;
    let at = (writer.at)();
    if let Some(env) = project
        .envs
        .iter_mut()
        .find(|env| upsert && env.same_places(&seed))
    {
        if writer.options.refuse_sensitive_upsert && env.seed.kind == "sensitive" {
            let text = "The key of a sensitive variable cannot be changed";
            return Err(refusal("BAD_REQUEST", text).item(&seed));
        }
        seed.configuration_id.clone_from(&env.seed.configuration_id);
        env.seed = seed;
        env.updated_at = at;
        return Ok(env.shown());
    }
    if project.envs.iter().any(|env| env.overlaps(&seed)) {
        let branch = seed.git_branch.as_deref().unwrap_or("undefined");
        let text = format!("{} already exists on branch {branch}", seed.key);
        return Err(refusal("ENV_CONFLICT", text).item(&seed));
    }
    let full = |scope: &String| {
        let same = project
            .envs
            .iter()
            .filter(|env| env.scopes().any(|s| s == scope));
        same.count() >= writer.options.max_per_environment
    };
    if seed
        .target
        .iter()
        .chain(&seed.custom_environment_ids)
        .any(full)
    {
        return Err(refusal("MAX_ENVS_EXCEEDED", "Too many variables").item(&seed));
    }
    let env = Env {
        id: (writer.new_id)(),
        seed,
        created_at: at,
        updated_at: at,
        created_by: writer.token.user.clone(),
    };
    let shown = env.shown();
    project.envs.push(env);
    Ok(shown)
}

/// Replaces what the body names and keeps the rest.
pub(super) fn edit(project: &mut Project, id: &str, body: &Value, at: u64) -> Reply {
    let Some(index) = project.envs.iter().position(|env| env.id == id) else {
        return error(404, "not_found", "Environment variable not found");
    };
    let old = &project.envs[index];
    let mut seed = old.seed.clone();
    let words = |name: &str| -> Option<Vec<String>> {
        let list = body.get(name)?.as_array()?;
        Some(
            list.iter()
                .filter_map(|one| one.as_str().map(str::to_owned))
                .collect(),
        )
    };
    if seed.kind == "system" && body.get("value").is_some() {
        return error(
            400,
            "SYSTEM_ENV_WITH_VALUE",
            "A system variable has no value",
        );
    }
    if seed.kind == "sensitive" && body.get("key").is_some() {
        return error(
            400,
            "BAD_REQUEST",
            "The key of a sensitive variable cannot be changed",
        );
    }
    if let Some(kind) = body.get("type").and_then(Value::as_str) {
        if seed.kind == "sensitive" && kind != "sensitive" {
            return error(400, "BAD_REQUEST", "A sensitive variable stays sensitive");
        }
        kind.clone_into(&mut seed.kind);
    }
    if let Some(key) = body.get("key").and_then(Value::as_str) {
        key.clone_into(&mut seed.key);
    }
    if let Some(value) = body.get("value").and_then(Value::as_str) {
        value.clone_into(&mut seed.value);
    }
    if let Some(target) = words("target") {
        seed.target = target;
    }
    if let Some(custom) = words("customEnvironmentIds") {
        seed.custom_environment_ids = custom;
    }
    if seed.kind != "system"
        && let Err(refusal) = check(project, &seed)
    {
        return (400, json!({ "error": refusal.error() }));
    }
    let others = project.envs.iter().enumerate();
    if others
        .filter(|(other, _)| *other != index)
        .any(|(_, env)| env.overlaps(&seed))
    {
        return error(
            400,
            "ENV_CONFLICT",
            "Another variable has this key and target",
        );
    }
    let env = &mut project.envs[index];
    env.seed = seed;
    env.updated_at = at;
    (200, env.shown())
}

pub(super) fn delete_one(project: &mut Project, id: &str) -> Reply {
    match project.envs.iter().position(|env| env.id == id) {
        Some(index) => (200, project.envs.remove(index).shown()),
        None => error(404, "not_found", "Environment variable not found"),
    }
}

pub(super) fn delete_many(project: &mut Project, body: &Value) -> Reply {
    let ids: Option<Vec<&str>> = body
        .get("ids")
        .and_then(Value::as_array)
        .map(|ids| ids.iter().filter_map(Value::as_str).collect());
    let Some(ids) = ids.filter(|ids| !ids.is_empty()) else {
        return error(400, "MISSING_ID", "ids is missing");
    };
    if ids.len() > 1000 {
        return error(400, "TOO_MANY_IDS", "Too many ids");
    }
    let mut gone = Vec::new();
    project.envs.retain(|env| {
        let delete = ids.contains(&env.id.as_str());
        if delete {
            gone.push(env.id.clone());
        }
        !delete
    });
    (200, json!({ "deleted": gone.len(), "ids": gone }))
}
