//! What the description catches in an answer.

use keyway_tests::description::Description;
use serde_json::{Value, json};

const SECRETS: &str = "/v1/apps/a/secrets";
const SECRET: &str = "/v1/apps/a/secrets/KEY";

fn wrong(method: &str, path: &str, status: u16, body: Option<&Value>) -> String {
    let found = Description::fly().check_answer(method, path, status, body);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    found.join("\n")
}

#[test]
fn an_answer_has_the_status_and_the_body_that_are_described() {
    let error = json!({ "error": "no", "status": "unknown" });
    let written =
        json!({ "secrets": [{ "name": "A", "digest": "0" }], "version": 1, "Version": 1 });
    for (method, path, status, body) in [
        ("POST", SECRETS, 200, &written),
        ("POST", SECRETS, 400, &error),
        ("POST", SECRETS, 429, &error),
        ("DELETE", SECRET, 200, &json!({ "version": 2 })),
        ("GET", "/v1/apps/a/machines", 200, &json!([{ "id": "1" }])),
    ] {
        assert_eq!(wrong(method, path, status, Some(body)), "");
    }
    for (method, path, status, body, problem) in [
        (
            "GET",
            "/v1/regions",
            200,
            &error,
            "this call is not described",
        ),
        (
            "POST",
            SECRETS,
            201,
            &written,
            "this status is not described",
        ),
        (
            "POST",
            SECRET,
            200,
            &json!({}),
            "this status is not described",
        ),
        ("POST", SECRETS, 200, &json!({ "versions": 1 }), "versions"),
        ("POST", SECRETS, 200, &json!({ "version": "1" }), "integer"),
        ("GET", SECRETS, 200, &json!([]), "object"),
        ("GET", SECRETS, 403, &json!({ "message": "no" }), "message"),
        (
            "GET",
            SECRETS,
            403,
            &json!({ "error": "no", "status": "forbidden" }),
            "status",
        ),
    ] {
        let found = wrong(method, path, status, Some(body));
        assert!(found.contains(problem), "{problem}: {found}");
    }
    assert!(wrong("DELETE", SECRET, 200, None).contains("missing"));
}

/// The vendor says it in prose only.
#[test]
fn null_unsets() {
    let request = |values: Value| keyway_simulator::RequestRecord {
        method: "POST".to_owned(),
        path: SECRETS.to_owned(),
        query: String::new(),
        body: Some(json!({ "values": values })),
        content_type: Some("application/json".to_owned()),
        user_agent: None,
        request_id: None,
        family: "secrets-write",
        operations: Vec::new(),
        project: None,
        started: 0,
        ended: None,
        status: None,
    };
    let check = |values| Description::fly().check(&request(values));
    assert_eq!(check(json!({ "A": "1", "OLD": null })), []);
    assert_eq!(check(json!({ "A": 1 })).len(), 1);
}
