//! A vendor's GraphQL schema, as far as we call it: what is asked and what is answered is held
//! against it.

use std::sync::LazyLock;

use apollo_compiler::ast::Type;
use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Field, Selection, SelectionSet};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use serde_json::Value;

/// A slim schema.
#[derive(Debug)]
pub struct GraphQlDescription {
    schema: Valid<Schema>,
}

static RAILWAY: LazyLock<GraphQlDescription> =
    LazyLock::new(|| GraphQlDescription::new(include_str!("../description/railway.graphql")));

impl GraphQlDescription {
    /// Railway's.
    pub fn railway() -> &'static Self {
        &RAILWAY
    }

    fn new(text: &str) -> Self {
        let schema = Schema::parse_and_validate(text, "description.graphql");
        Self {
            schema: schema.expect("the description is valid"),
        }
    }

    /// What does not fit in a request (`{"query", "variables"}`).
    pub fn check_request(&self, request: &Value) -> Vec<String> {
        match self.operation(request) {
            Ok(_) => Vec::new(),
            Err(violations) => violations,
        }
    }

    /// What does not fit in an answer to a request that fits.
    pub fn check_answer(&self, request: &Value, answer: &Value) -> Vec<String> {
        let document = match self.operation(request) {
            Ok(document) => document,
            Err(violations) => return violations,
        };
        let mut found = Vec::new();
        let Some(fields) = answer.as_object() else {
            return vec!["answer: not an object".to_owned()];
        };
        for name in fields.keys() {
            if !["data", "errors", "extensions"].contains(&name.as_str()) {
                found.push(format!("answer: {name} is not of a GraphQL answer"));
            }
        }
        check_errors(answer, &mut found);
        match fields.get("data") {
            Some(Value::Null) | None if answer["errors"].is_array() => {}
            Some(data) => {
                let operation = document.operations.get(request["operationName"].as_str());
                let root = &operation.expect("it is valid").selection_set;
                self.check_object(&document, root, data, "data", &mut found);
            }
            None => found.push("answer: neither data nor errors".to_owned()),
        }
        found
    }

    fn operation(&self, request: &Value) -> Result<Valid<ExecutableDocument>, Vec<String>> {
        let text = request["query"].as_str().unwrap_or_default();
        let document =
            ExecutableDocument::parse_and_validate(&self.schema, text, "operation.graphql")
                .map_err(|invalid| {
                    let errors = invalid.errors.iter();
                    errors.map(|one| one.error.to_string()).collect::<Vec<_>>()
                })?;
        let operation = document
            .operations
            .get(request["operationName"].as_str())
            .map_err(|error| vec![error.message().to_string()])?;
        let given: JsonMap =
            serde_json::from_value(request["variables"].clone()).unwrap_or_default();
        coerce_variable_values(&self.schema, operation, &given)
            .map_err(|error| vec![error.message().to_string()])?;
        for name in given.keys() {
            let declared = operation.variables.iter();
            if !declared
                .into_iter()
                .any(|variable| variable.name == name.as_str())
            {
                return Err(vec![format!("variable {}: not declared", name.as_str())]);
            }
        }
        Ok(document)
    }

    fn check_object(
        &self,
        document: &ExecutableDocument,
        selections: &SelectionSet,
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) {
        let Some(fields) = value.as_object() else {
            found.push(format!("{place}: not an object"));
            return;
        };
        let mut asked: IndexMap<&Name, Vec<&Node<Field>>> = IndexMap::default();
        collect(document, selections, &mut asked);
        for name in fields.keys() {
            if !asked.keys().any(|key| key.as_str() == name) {
                found.push(format!("{place}.{name}: not asked for"));
            }
        }
        for (key, selected) in asked {
            let place = format!("{place}.{key}");
            match fields.get(key.as_str()) {
                Some(value) => {
                    let ty = selected[0].ty();
                    self.check_value(document, ty, &selected, value, &place, found);
                }
                None => found.push(format!("{place}: missing")),
            }
        }
    }

    fn check_value(
        &self,
        document: &ExecutableDocument,
        ty: &Type,
        selected: &[&Node<Field>],
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) {
        if value.is_null() {
            if ty.is_non_null() {
                found.push(format!("{place}: null in {ty}"));
            }
            return;
        }
        if ty.is_list() {
            let Some(items) = value.as_array() else {
                found.push(format!("{place}: no list in {ty}"));
                return;
            };
            for item in items {
                self.check_value(document, ty.item_type(), selected, item, place, found);
            }
            return;
        }
        let name = ty.inner_named_type();
        let fits = match self.schema.types.get(name) {
            Some(ExtendedType::Object(_)) => {
                for field in selected {
                    self.check_object(document, &field.selection_set, value, place, found);
                }
                true
            }
            Some(ExtendedType::Enum(of)) => value.as_str().is_some_and(|text| {
                let mut values = of.values.keys();
                values.any(|known| known.as_str() == text)
            }),
            _ => is_scalar(name, value),
        };
        if !fits {
            found.push(format!("{place}: not {ty}"));
        }
    }
}

/// What is selected of an object. All types are objects, so that every fragment is for it.
fn collect<'a>(
    document: &'a ExecutableDocument,
    selections: &'a SelectionSet,
    into: &mut IndexMap<&'a Name, Vec<&'a Node<Field>>>,
) {
    for selection in &selections.selections {
        match selection {
            Selection::Field(field) => into.entry(field.response_key()).or_default().push(field),
            Selection::InlineFragment(fragment) => {
                collect(document, &fragment.selection_set, into);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = spread.fragment_def(document) {
                    collect(document, &fragment.selection_set, into);
                }
            }
        }
    }
}

fn is_scalar(name: &str, value: &Value) -> bool {
    match name {
        "String" | "ID" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "Int" => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        "DateTime" => value
            .as_str()
            .is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()),
        // The vendor's own client takes null for a value.
        "EnvironmentVariables" => value.as_object().is_some_and(|variables| {
            let mut values = variables.values();
            values.all(|value| value.is_string() || value.is_null())
        }),
        "EnvironmentConfig" => value.is_object(),
        _ => false,
    }
}

/// Errors as the specification has them, with the vendor's trace.
fn check_errors(answer: &Value, found: &mut Vec<String>) {
    let Some(errors) = answer.get("errors") else {
        return;
    };
    if errors.as_array().is_none_or(Vec::is_empty) {
        found.push("errors: not a list of some".to_owned());
    }
    for error in errors.as_array().into_iter().flatten() {
        if !error["message"].is_string() {
            found.push("errors: no message".to_owned());
        }
        for name in error
            .as_object()
            .into_iter()
            .flat_map(|fields| fields.keys())
        {
            let known = ["message", "path", "locations", "extensions", "traceId"];
            if !known.contains(&name.as_str()) {
                found.push(format!("errors: {name} is not of an error"));
            }
        }
    }
}
