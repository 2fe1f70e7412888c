//! Variables: list, read, create, replace, set one value, delete.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::{CONTEXTS, Held, Plan, SCOPES, User, Variable};
use super::options::{AllWithOthers, LastValue, OnConflict, Options};
use super::reply::{Outcome, Refusal, Reply, not_found, refusal};
use super::rules::{
    GoodValue, Sent, SentValue, check_key, check_value, check_values, read, scopes, secret_of_all,
};

/// Who writes, when, with what options.
pub(super) struct Writer<'a> {
    /// Id of the user.
    pub(super) by: &'a str,
    pub(super) users: &'a BTreeMap<String, User>,
    pub(super) plan: Plan,
    pub(super) options: &'a Options,
    pub(super) at: u64,
    pub(super) new_id: &'a mut dyn FnMut() -> String,
    /// Keys that a fault makes fail, and with what text.
    pub(super) fail: Option<(Vec<String>, String)>,
}

impl Writer<'_> {
    fn hold(&mut self, value: GoodValue) -> Held {
        Held {
            id: (self.new_id)(),
            value: value.value,
            context: value.context,
            parameter: value.parameter,
        }
    }

    fn show(&self, variable: &Variable) -> Value {
        variable.document(self.options, self.users.get(&variable.updated_by))
    }

    fn sign(&self, variable: &mut Variable) {
        variable.updated_at = self.at;
        self.by.clone_into(&mut variable.updated_by);
    }

    fn conflict(&self, key: &str) -> Refusal {
        let text = format!("Variable {key} already exists");
        refusal(self.options.conflict_status, text)
    }
}

fn position(variables: &[Variable], key: &str) -> Result<usize, Refusal> {
    let found = variables.iter().position(|variable| variable.key == key);
    found.ok_or_else(|| not_found("Environment variable"))
}

/// All of them at once: there are no pages.
pub(super) fn list(
    variables: &[Variable],
    query: &BTreeMap<String, String>,
    users: &BTreeMap<String, User>,
    options: &Options,
) -> Outcome {
    let context = query.get("context_name");
    let known = |name: &str| name == "all" || CONTEXTS.contains(&name);
    if context.is_some_and(|context| !known(context)) {
        return Err(refusal(422, "context_name is not known"));
    }
    let scope = query.get("scope").map(|scope| scope.replace('_', "-"));
    if scope
        .as_deref()
        .is_some_and(|scope| !SCOPES.contains(&scope))
    {
        return Err(refusal(422, "scope is not known"));
    }
    let listed = variables
        .iter()
        .filter(|variable| scope.as_ref().is_none_or(|s| variable.scopes.contains(s)))
        .filter_map(|variable| {
            let mut variable = variable.clone();
            if let Some(context) = context {
                let wanted = |held: &Held| held.context == "all" || held.context == *context;
                if !variable.values.iter().any(wanted) {
                    return None;
                }
                if options.context_filter_cuts_values {
                    variable.values.retain(wanted);
                }
            }
            Some(variable.document(options, users.get(&variable.updated_by)))
        });
    Ok(Reply::json(200, listed.collect()))
}

pub(super) fn one(
    variables: &[Variable],
    key: &str,
    users: &BTreeMap<String, User>,
    options: &Options,
) -> Outcome {
    let variable = &variables[position(variables, key)?];
    let by = users.get(&variable.updated_by);
    Ok(Reply::json(200, variable.document(options, by)))
}

/// An array of new variables. A refused one refuses the call.
pub(super) fn create(
    variables: &mut Vec<Variable>,
    body: &Value,
    writer: &mut Writer<'_>,
) -> Outcome {
    let items: Vec<Sent> = read(body)?;
    let mut made = variables.clone();
    let mut shown = Vec::new();
    let mut failed = None;
    for item in items {
        if let Some((keys, text)) = &writer.fail
            && item.key.as_ref().is_some_and(|key| keys.contains(key))
        {
            failed = Some(refusal(422, text.clone()));
            continue;
        }
        match create_one(&mut made, item, writer) {
            Ok(variable) => shown.push(variable),
            Err(refused) => {
                if writer.options.partial_creates {
                    *variables = made;
                }
                return Err(refused);
            }
        }
    }
    *variables = made;
    failed.map_or_else(|| Ok(Reply::json(201, json!(shown))), Err)
}

fn create_one(
    variables: &mut Vec<Variable>,
    sent: Sent,
    writer: &mut Writer<'_>,
) -> Result<Value, Refusal> {
    let options = writer.options;
    let key = sent.key.clone().unwrap_or_default();
    check_key(&key, options)?;
    if let Ok(index) = position(variables, &key) {
        match options.on_conflict {
            OnConflict::Refused => return Err(writer.conflict(&key)),
            OnConflict::Kept => {}
            OnConflict::Replaced => replace_at(variables, index, sent, writer)?,
        }
        return Ok(writer.show(&variables[index]));
    }
    if options
        .max_variables
        .is_some_and(|most| variables.len() >= most)
    {
        return Err(refusal(422, "Too many environment variables"));
    }
    let is_secret = sent.is_secret.unwrap_or_default();
    let values = check_values(sent.values, is_secret, options)?;
    let scopes = scopes(
        sent.scopes.as_deref(),
        None,
        is_secret,
        writer.plan,
        options,
    )?;
    let mut variable = Variable {
        key,
        scopes,
        values: values.into_iter().map(|value| writer.hold(value)).collect(),
        is_secret,
        updated_at: 0,
        updated_by: String::new(),
    };
    writer.sign(&mut variable);
    let shown = writer.show(&variable);
    variables.push(variable);
    Ok(shown)
}

/// Replaces a variable with all its values; its scopes stay when none are given.
pub(super) fn replace(
    variables: &mut [Variable],
    key: &str,
    body: &Value,
    writer: &mut Writer<'_>,
) -> Outcome {
    let index = position(variables, key)?;
    replace_at(variables, index, read(body)?, writer)?;
    Ok(Reply::json(200, writer.show(&variables[index])))
}

fn replace_at(
    variables: &mut [Variable],
    index: usize,
    sent: Sent,
    writer: &mut Writer<'_>,
) -> Result<(), Refusal> {
    let options = writer.options;
    let before = &variables[index];
    let key = sent.key.unwrap_or_else(|| before.key.clone());
    check_key(&key, options)?;
    if position(variables, &key).is_ok_and(|other| other != index) {
        return Err(writer.conflict(&key));
    }
    if before.is_secret && sent.is_secret == Some(false) && options.refuse_unsecret {
        return Err(refusal(422, "A secret cannot be made readable again"));
    }
    let is_secret = before.is_secret || sent.is_secret.unwrap_or_default();
    let values = check_values(sent.values, is_secret, options)?;
    let scopes = scopes(
        sent.scopes.as_deref(),
        Some(&before.scopes),
        is_secret,
        writer.plan,
        options,
    )?;
    let mut after = Variable {
        key,
        scopes,
        values: values.into_iter().map(|value| writer.hold(value)).collect(),
        is_secret,
        updated_at: 0,
        updated_by: String::new(),
    };
    if options.stable_value_ids {
        for held in &mut after.values {
            if let Some(same) = before.value_at(&held.context, held.parameter.as_deref()) {
                held.id.clone_from(&same.id);
            }
        }
    }
    writer.sign(&mut after);
    variables[index] = after;
    Ok(())
}

/// Sets the value of one context, and leaves the others.
pub(super) fn set_value(
    variables: &mut [Variable],
    key: &str,
    body: &Value,
    writer: &mut Writer<'_>,
) -> Outcome {
    let index = position(variables, key)?;
    let sent: SentValue = read(body)?;
    let value = check_value(sent, writer.options)?;
    let mut variable = variables[index].clone();
    if variable.is_secret && value.context == "all" {
        return Err(secret_of_all());
    }
    let same = |held: &&mut Held| held.is_at(&value.context, value.parameter.as_deref());
    if let Some(held) = variable.values.iter_mut().find(same) {
        held.value = value.value;
    } else {
        make_room(&mut variable.values, &value, writer)?;
        let held = writer.hold(value);
        variable.values.push(held);
    }
    writer.sign(&mut variable);
    let shown = writer.show(&variable);
    variables[index] = variable;
    Ok(Reply::json(201, shown))
}

/// What a new value does to those that it is not to be with.
fn make_room(
    values: &mut Vec<Held>,
    new: &GoodValue,
    writer: &mut Writer<'_>,
) -> Result<(), Refusal> {
    let of_all = new.context == "all";
    let Some(other) = values
        .iter()
        .position(|held| of_all || held.context == "all")
    else {
        return Ok(());
    };
    match writer.options.all_with_others {
        AllWithOthers::Beside => {}
        AllWithOthers::Refused => {
            return Err(refusal(422, "Context all cannot be given with others"));
        }
        AllWithOthers::Split if !of_all => {
            let all = values.remove(other);
            for context in CONTEXTS {
                let is_there = values.iter().any(|held| held.is_at(context, None));
                if context == new.context || is_there {
                    continue;
                }
                values.push(Held {
                    id: (writer.new_id)(),
                    value: all.value.clone(),
                    context: context.to_owned(),
                    parameter: None,
                });
            }
        }
        AllWithOthers::Split | AllWithOthers::Replaced => {
            values.retain(|held| !of_all && held.context != "all");
        }
    }
    Ok(())
}

pub(super) fn delete(variables: &mut Vec<Variable>, key: &str) -> Outcome {
    let index = position(variables, key)?;
    variables.remove(index);
    Ok(Reply::no_content())
}

pub(super) fn delete_value(
    variables: &mut Vec<Variable>,
    key: &str,
    id: &str,
    writer: &Writer<'_>,
) -> Outcome {
    let index = position(variables, key)?;
    let variable = &mut variables[index];
    let Some(value) = variable.values.iter().position(|held| held.id == id) else {
        return Err(not_found("Value"));
    };
    if variable.values.len() == 1 {
        match writer.options.last_value {
            LastValue::Refused => return Err(refusal(422, "Values can't be blank")),
            LastValue::KeyGoes => {
                variables.remove(index);
                return Ok(Reply::no_content());
            }
            LastValue::KeyStays => {}
        }
    }
    variable.values.remove(value);
    writer.sign(variable);
    Ok(Reply::no_content())
}
