//! What the description catches in an answer.

use keyway_tests::description::Description;
use serde_json::{Value, json};

const USER: &str = "/api/v1/user";
const KEY: &str = "/api/v1/accounts/a/env/KEY";

fn wrong(method: &str, path: &str, status: u16, body: Option<&Value>) -> String {
    let found = Description::netlify().check_answer(method, path, status, body);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].to_string()
}

#[test]
fn an_answer_has_the_status_and_the_body_that_are_described() {
    let description = Description::netlify();
    let error = json!({ "code": 404, "message": "no" });
    for (method, path, status, body) in [
        ("GET", USER, 200, Some(&json!({ "id": "1" }))),
        ("GET", USER, 404, Some(&error)),
        ("DELETE", KEY, 204, None),
        ("DELETE", KEY, 429, Some(&error)),
    ] {
        assert_eq!(description.check_answer(method, path, status, body), []);
    }
    for (method, path, status, body, problem) in [
        ("GET", "/user", 200, None, "this call is not described"),
        (
            "GET",
            USER,
            201,
            Some(&error),
            "this status is not described",
        ),
        ("DELETE", KEY, 200, None, "this status is not described"),
        ("DELETE", KEY, 204, Some(&json!({})), "no body is described"),
        ("GET", USER, 200, None, "missing"),
        ("GET", USER, 200, Some(&json!({ "slug": "a" })), "slug"),
        ("GET", USER, 200, Some(&json!({ "email": null })), "string"),
        ("GET", USER, 404, Some(&json!({ "error": "no" })), "error"),
        (
            "PATCH",
            KEY,
            200,
            Some(&json!({})),
            "this status is not described",
        ),
    ] {
        let found = description.check_answer(method, path, status, body);
        assert!(
            found.iter().any(|one| one.to_string().contains(problem)),
            "{problem}: {found:?}"
        );
    }
}

#[test]
fn a_value_is_placed_in_the_answer_and_not_repeated() {
    let body = json!({ "key": "KEY", "values": [{ "context": "s3cret", "value": "1" }] });
    let found = wrong("GET", KEY, 200, Some(&body));
    assert!(
        found.starts_with("getEnvVar, answer 200 at \"/values/0/context\""),
        "{found}"
    );
    assert!(!found.contains("s3cret"), "{found}");
}

#[test]
fn both_spellings_of_a_scope_are_answers() {
    for scope in ["post-processing", "post_processing"] {
        let body = json!({ "key": "KEY", "scopes": [scope] });
        assert_eq!(
            Description::netlify().check_answer("GET", KEY, 200, Some(&body)),
            []
        );
    }
    let body = json!({ "key": "KEY", "scopes": ["edge"] });
    wrong("GET", KEY, 200, Some(&body));
}
