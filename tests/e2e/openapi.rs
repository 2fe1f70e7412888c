//! The OpenAPI document: committed, and sound.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    serde_json::to_value(keyway_api::openapi()).unwrap()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whether to write is told by who runs the tests"
)]
fn the_committed_document_is_that_of_the_routes() {
    let text = format!("{}\n", keyway_api::openapi().to_pretty_json().unwrap());
    if std::env::var("KEYWAY_UPDATE").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(Path::new(COMMITTED).parent().unwrap()).unwrap();
        std::fs::write(COMMITTED, &text).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == text,
        "docs/openapi.json is out of date: run the tests once with KEYWAY_UPDATE=1"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(root: &Value, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(root.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|value| walk(root, value));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(root, value)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}

#[test]
fn every_security_requirement_names_a_scheme() {
    let document = document();
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    let mut requirements = vec![&document["security"]];
    for (_, _, operation) in operations(&document) {
        requirements.extend(operation.get("security"));
    }
    for requirement in requirements {
        for alternative in requirement.as_array().unwrap() {
            for name in alternative.as_object().unwrap().keys() {
                assert!(schemes.contains_key(name), "{name}");
            }
        }
    }
    assert_eq!(document["security"][0]["bearer"], serde_json::json!([]));
}

#[test]
fn every_operation_is_named_described_and_tells_its_errors() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().expect(&place);
        assert!(ids.insert(id.to_owned()), "{id} twice");
        assert!(id.contains('_'), "{id} is not verb_resource");
        assert!(operation["summary"].is_string(), "{place} has no summary");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{place}");
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses {
            let described = response["description"]
                .as_str()
                .is_some_and(|text| !text.is_empty());
            assert!(
                described || response.get("$ref").is_some(),
                "{place} {status} has no description"
            );
        }
        let open = operation.get("security").is_some();
        assert!(
            responses.contains_key("503") || responses.contains_key("302"),
            "{place}"
        );
        if !open {
            assert!(responses.contains_key("401"), "{place}");
        }
        if let Some(body) = operation.get("requestBody") {
            // A form that is not as our page sends it is 400 whatever is wrong, and a page.
            let statuses = match body["content"].get("application/json") {
                Some(_) => &["400", "413", "415", "422"][..],
                None => &["400"],
            };
            for status in statuses {
                assert!(responses.contains_key(*status), "{place} {status}");
            }
        }
        let declared: BTreeSet<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        let in_path: BTreeSet<_> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(declared, in_path, "{place}");
    }
    assert!(ids.len() > 30, "{}", ids.len());
}

fn operations(document: &Value) -> Vec<(String, &'static str, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                found.push((path.clone(), method, operation));
            }
        }
    }
    found
}
