//! What the description catches, and whose requests it is held against.

use keyway_shared::domain::connection::{Credential, ProviderName};
use keyway_shared::providers::Session;
use keyway_shared::secret::Secret;
use keyway_simulator::RequestRecord;
use keyway_simulator::vercel::{Preset, TOKEN};
use keyway_tests::description::{Description, Violation};
use keyway_tests::stand_in::StandIn;
use serde_json::{Value, json};

const ENV: &str = "/v10/projects/prj_1/env";
const ONE: &str = "/v9/projects/prj_1/env/var1";

fn request(method: &str, path: &str, query: &str, body: Option<Value>) -> RequestRecord {
    RequestRecord {
        method: method.into(),
        path: path.into(),
        query: query.into(),
        content_type: body.is_some().then(|| "application/json".into()),
        body,
        user_agent: None,
        request_id: None,
        family: "",
        operations: Vec::new(),
        project: None,
        started: 0,
        ended: None,
        status: None,
    }
}

fn check(request: &RequestRecord) -> Vec<Violation> {
    Description::vercel().check(request)
}

fn only(request: &RequestRecord) -> Violation {
    let mut found = check(request);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn variable() -> Value {
    json!({ "key": "A", "value": "1", "type": "encrypted", "target": ["preview"],
        "gitBranch": null })
}

#[test]
fn what_is_described_passes() {
    for fine in [
        request("GET", ENV, "teamId=team_1&decrypt=true", None),
        request("GET", "/v9/projects/a%2Fb", "", None),
        request("GET", "/v2/user", "", None),
        request("GET", "/v10/projects", "deprecated=true&limit=100", None),
        request("POST", ENV, "upsert=true", Some(variable())),
        request("POST", ENV, "", Some(json!([variable(), variable()]))),
        request("PATCH", ONE, "", Some(json!({ "target": [] }))),
        request(
            "DELETE",
            "/v1/projects/p/env",
            "",
            Some(json!({ "ids": ["a"] })),
        ),
    ] {
        assert_eq!(check(&fine), [], "{fine:?}");
    }
}

#[test]
fn a_call_that_is_not_described_is_named() {
    for (method, path) in [
        ("GET", "/v10/projects/prj_1/environment"),
        ("GET", "/v11/projects/prj_1/env"),
        ("GET", "/v10/projects/prj_1/env/"),
        ("GET", "/v9/projects//env/var1"),
        ("PUT", ENV),
    ] {
        let found = only(&request(method, path, "", None));
        assert_eq!(found.operation, format!("{method} {path}"));
        assert_eq!(found.place, "path");
    }
}

#[test]
fn a_query_parameter_is_described_once_and_of_its_type() {
    let found = only(&request("GET", ENV, "team=team_1", None));
    assert_eq!(
        found.to_string(),
        "filterProjectEnvs, query parameter team: not described"
    );
    let found = only(&request("GET", ENV, "teamId=a&teamId=a", None));
    assert_eq!(found.problem, "given twice");
    let found = only(&request("GET", ENV, "decrypt=yes", None));
    assert_eq!(found.place, "query parameter decrypt");
    assert_eq!(found.schema_path, "/enum");
    let found = only(&request("GET", "/v10/projects", "deprecated=maybe", None));
    assert_eq!(found.schema_path, "/type");
}

#[test]
fn what_we_send_beyond_the_description_is_for_one_call_only() {
    assert_eq!(check(&request("GET", ENV, "until=1", None)), []);
    let found = only(&request("GET", "/v10/projects", "until=1", None));
    assert_eq!(found.place, "query parameter until");
}

#[test]
fn a_body_of_a_wrong_type_is_placed() {
    let mut wrong = variable();
    wrong["value"] = json!(1);
    let found = only(&request("POST", ENV, "", Some(json!([variable(), wrong]))));
    assert_eq!(found.operation, "createProjectEnv");
    assert_eq!(found.place, r#"body at "/1/value""#);
    assert_eq!(found.schema_path, "/oneOf/1/items/properties/value/type");
    let found = only(&request(
        "PATCH",
        ONE,
        "",
        Some(json!({ "target": "preview" })),
    ));
    assert_eq!(found.schema_path, "/properties/target/type");
}

#[test]
fn a_missing_or_unknown_field_is_named() {
    let mut wrong = variable();
    wrong.as_object_mut().unwrap().remove("type");
    let found = only(&request("POST", ENV, "", Some(wrong)));
    assert_eq!(found.schema_path, "/oneOf/0/required");
    assert!(found.problem.contains("type"), "{found}");

    let mut wrong = variable();
    wrong["branch"] = json!("main");
    let found = only(&request("POST", ENV, "", Some(json!([wrong]))));
    assert_eq!(found.schema_path, "/oneOf/1/items/additionalProperties");
    assert!(found.problem.contains("branch"), "{found}");

    let mut homeless = variable();
    homeless.as_object_mut().unwrap().remove("target");
    let found = only(&request("POST", ENV, "", Some(json!([homeless]))));
    assert!(
        found.schema_path.starts_with("/oneOf/1/items/anyOf/"),
        "{found}"
    );
}

#[test]
fn a_body_is_there_where_one_is_described_and_nowhere_else() {
    let found = only(&request("PATCH", ONE, "", None));
    assert_eq!(
        found.to_string(),
        "editProjectEnv, body: missing (schema /required)"
    );
    let found = only(&request("GET", "/v2/user", "", Some(json!({}))));
    assert_eq!(found.problem, "none is described");
    let mut text = request("PATCH", ONE, "", Some(json!({})));
    text.content_type = Some("text/plain".into());
    assert!(only(&text).problem.contains("text/plain"));
    let mut broken = request("PATCH", ONE, "", None);
    broken.content_type = Some("application/json".into());
    assert_eq!(only(&broken).problem, "it is not application/json");
}

#[test]
fn a_violation_repeats_no_value() {
    let mut wrong = variable();
    wrong["value"] = json!({ "nested": "s3cret" });
    let found = only(&request("POST", ENV, "", Some(json!([wrong]))));
    assert!(!found.to_string().contains("s3cret"), "{found}");
}

#[tokio::test]
async fn our_requests_are_checked() {
    let vercel = StandIn::start(Preset::Starter).await.unwrap();
    let session = Session::unguarded(Credential {
        token: Secret::new(TOKEN),
        team_id: None,
        installation_id: None,
        token_kind: None,
    });
    let provider = client(&vercel.url());
    provider.account(&session).await.unwrap();
    assert!(vercel.calls() > 0);
    assert_eq!(vercel.checked(), vercel.calls());
}

#[tokio::test]
async fn a_request_that_is_not_as_described_fails_its_test_only_when_it_is_ours() {
    let call = async |user_agent: &str| {
        let vercel = StandIn::start(Preset::Starter).await.unwrap();
        let url = format!("{}{ENV}?team=a", vercel.url());
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[expect(clippy::disallowed_methods, reason = "plays a client that is not ours")]
        let sent = reqwest::Client::new()
            .get(url)
            .header("user-agent", user_agent)
            .send()
            .await;
        sent.unwrap();
        // What is forgotten was still seen.
        vercel.reset_calls();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(vercel)))
    };
    call("somebody/1").await.unwrap();
    let failure = call(keyway_shared::providers::http::USER_AGENT)
        .await
        .unwrap_err();
    let text = failure.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("filterProjectEnvs, query parameter team: not described"),
        "{text}"
    );
}

fn client(url: &str) -> std::sync::Arc<dyn keyway_shared::providers::Provider> {
    use keyway_shared::ambient::Ambient;
    use keyway_shared::providers::registry::{ProviderSettings, Registry};

    let mut settings = ProviderSettings::default();
    settings.vercel.api_url = url.to_owned();
    Registry::new(&settings, Ambient::system())
        .unwrap()
        .get(ProviderName::Vercel)
        .unwrap()
}
