//! `keyway init`, `push`, `pull` and `diff`, and the MCP server: whole environments at once.

use std::collections::BTreeMap;

use keyway_tests::app::TestApp;
use keyway_tests::client::Answer;
use serde_json::{Value, json};

use super::Profile;
use super::callers::{Caller, Replay, told};

replays!(
    a_vault_is_made_filled_and_read,
    what_is_pulled_can_be_pushed_and_pulled_again,
    a_value_of_several_lines_is_not_torn,
    an_mcp_server_reads_and_writes,
);

/// The query as the client puts it together: nothing is escaped but the repository.
const PULL: &str = "/v1/secrets/pull?repo=acme%2Fweb&environment=production";

/// What the command line client makes of a file: lines are trimmed, blank ones and those with a `#` are
/// left out, the first `=` parts name and value, and one pair of equal quotes around the value goes.
/// Nothing is unescaped.
fn read_file(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for line in text.split('\n') {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let mut value = value.trim();
        for quote in ['"', '\''] {
            let quoted = value.len() >= 2 && value.starts_with(quote) && value.ends_with(quote);
            if quoted {
                value = &value[1..value.len() - 1];
                break;
            }
        }
        values.insert(key.trim().to_owned(), value.to_owned());
    }
    values
}

async fn push(client: &Caller, secrets: &BTreeMap<String, String>) -> Answer {
    let body = json!({ "repoFullName": "acme/web", "environment": "production",
        "secrets": secrets });
    client.post("/v1/secrets/push", body).await
}

async fn pull(client: &Caller) -> String {
    let data = client.get(PULL).await.data(200);
    data["content"].as_str().expect("a text").to_owned()
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

async fn a_vault_is_made_filled_and_read(profile: Profile, replay: &Replay) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    let cli = replay.cli(&app, Some(&account.token));
    // `keyway init`
    let installation = cli
        .post(
            "/v1/github/check-installation",
            json!({ "repoOwner": "acme", "repoName": "web" }),
        )
        .await
        .data(200);
    assert_eq!(installation["installed"], true);
    assert!(installation["installUrl"].is_string());
    let vault = "/v1/vaults/acme/web";
    assert_eq!(cli.get(vault).await.status, 404);
    let create = json!({ "repoFullName": "acme/web" });
    cli.post("/v1/vaults", create.clone()).await.data(201);
    assert_eq!(cli.post("/v1/vaults", create).await.status, 409);
    let shown = cli.get(vault).await.data(200);
    assert_eq!(shown["repoFullName"], "acme/web");
    assert!(shown["id"].is_string());
    assert_eq!(
        shown["environments"],
        json!(["development", "staging", "production"])
    );

    // `keyway pull` of nothing, `keyway push`, `keyway pull`.
    let nothing = cli.get(PULL).await;
    assert_eq!(nothing.status, 404, "how it knows that there is nothing");
    let first = values(&[("A", "1"), ("B", "2")]);
    let pushed = push(&cli, &first).await.data(200);
    assert_eq!(pushed["success"], true);
    assert!(pushed["message"].is_string());
    let stats = |data: &Value, names: [&str; 3]| names.map(|name| data["stats"][name].as_i64());
    let names = ["created", "updated", "deleted"];
    assert_eq!(stats(&pushed, names), [Some(2), Some(0), Some(0)]);
    assert_eq!(cli.get(vault).await.data(200)["secretCount"], 2);
    assert_eq!(read_file(&pull(&cli).await), first);
    // It takes along what is there already before it sends.
    let mut merged = read_file(&pull(&cli).await);
    merged.extend(values(&[("B", "3"), ("C", "4")]));
    let pushed = push(&cli, &merged).await.data(200);
    assert_eq!(stats(&pushed, names), [Some(1), Some(1), Some(0)]);
    merged.remove("A");
    let pushed = push(&cli, &merged).await.data(200);
    assert_eq!(stats(&pushed, names), [Some(0), Some(0), Some(1)]);
    // The other way to write the repository.
    let plain = PULL.replace("%2F", "/");
    cli.get(&plain).await.data(200);

    let body = json!({ "repoFullName": "acme/web", "environment": "prod", "secrets": {} });
    let unknown = cli.post("/v1/secrets/push", body).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(
        told(&unknown),
        "Environment 'prod' does not exist in this vault. Available environments: development, \
         staging, production"
    );
    let unknown = cli.get("/v1/secrets/pull?repo=acme%2Fweb&environment=prod");
    assert_eq!(unknown.await.status, 404);
}

async fn what_is_pulled_can_be_pushed_and_pulled_again(profile: Profile, replay: &Replay) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    crate::vaults::create(&app.client(&account.token), "acme/web").await;
    let cli = replay.cli(&app, Some(&account.token));
    // Whatever stands at the ends of a value or within it, of two characters each.
    let parts = [
        "",
        " ",
        "\"",
        "'",
        "#",
        "=",
        "a",
        "\\",
        "\t",
        "é",
        "\u{a0}",
        "$x",
        "`",
        "\r",
        "{\"k\":'v'}",
    ];
    let mut secrets = values(&[
        ("URL", "postgres://u:p@h:5432/db?a=b&c=%20"),
        ("lower_case", "x"),
        ("_UNDER", "export A=1"),
    ]);
    for (i, a) in parts.iter().enumerate() {
        for (j, b) in parts.iter().enumerate() {
            for (k, c) in parts.iter().enumerate() {
                if secrets.len() < 1000 {
                    secrets.insert(format!("K_{i}_{j}_{k}"), [*a, *b, *c].concat());
                }
            }
        }
    }
    push(&cli, &secrets).await.data(200);
    let text = pull(&cli).await;
    let read = read_file(&text);
    assert_eq!(read, secrets, "what the client reads is what was written");
    let pushed = push(&cli, &read).await.data(200);
    assert_eq!(
        pushed["stats"],
        json!({ "created": 0, "updated": 0, "deleted": 0, "unchanged": secrets.len() })
    );
    assert_eq!(pull(&cli).await, text);
}

async fn a_value_of_several_lines_is_not_torn(profile: Profile, replay: &Replay) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    crate::vaults::create(&app.client(&account.token), "acme/web").await;
    let cli = replay.cli(&app, Some(&account.token));
    for several in [
        "-----BEGIN KEY-----\nYWJjZA==\n-----END KEY-----\n",
        "{\n  \"a\": \"b=c\"\n}",
        "first\r\nsecond",
        "both ' and \"\nrest",
        "\nbegins with a break",
    ] {
        let secrets = values(&[("A", "1"), ("SEVERAL", several)]);
        push(&cli, &secrets).await.data(200);
        let text = pull(&cli).await;
        assert!(text.contains(several), "other readers of the file get it");
        // The client makes of it what it can, and sends all of that back with the next change.
        let mut torn = read_file(&text);
        assert_ne!(torn.get("SEVERAL").map(String::as_str), Some(several));
        torn.insert("A".to_owned(), "2".to_owned());
        let refused = push(&cli, &torn).await;
        assert!([409, 422].contains(&refused.status), "{}", refused.text);
        assert!(!told(&refused).contains("YWJjZA"), "{}", refused.text);
        torn.retain(|key, _| key == "A" || key == "SEVERAL");
        let refused = push(&cli, &torn).await;
        assert_eq!(refused.status, 409, "{several:?}");
        assert!(told(&refused).contains("SEVERAL"));
        assert_eq!(pull(&cli).await, text, "nothing was written");
    }
}

async fn an_mcp_server_reads_and_writes(profile: Profile, replay: &Replay) {
    let app = TestApp::start(profile).await;
    let account = app.account("ada").await;
    crate::vaults::create(&app.client(&account.token), "acme/web").await;
    let mcp = replay.mcp(&app, &account.token);
    let secrets = values(&[("A", "1"), ("B", "two words")]);
    // It sends a push up to three times when the connection breaks, and two may be on their way at once.
    let (one, other) = tokio::join!(push(&mcp, &secrets), push(&mcp, &secrets));
    for answer in [one, other] {
        assert_eq!(answer.data(200)["success"], true);
    }
    let again = push(&mcp, &secrets).await.data(200);
    assert_eq!(again["stats"]["created"], 0);
    assert_eq!(again["stats"]["updated"], 0);
    assert_eq!(again["stats"]["deleted"], 0);
    let vault = mcp.get("/v1/vaults/acme/web").await.data(200);
    assert_eq!(vault["secretCount"], 2);
    assert!(vault["environments"].is_array());
    assert_eq!(pull(&mcp).await, "A=1\nB=\"two words\"\n");
    let path = "/v1/secrets/view?repo=acme%2Fweb&environment=production&key=B";
    assert_eq!(
        mcp.get(path).await.data(200),
        json!({ "key": "B", "value": "two words", "environment": "production" })
    );
    let log = app
        .client(&account.token)
        .get("/v1/activity")
        .await
        .data(200);
    assert_eq!(log[0]["platform"], "mcp");
}
