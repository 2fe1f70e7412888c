//! What operators look at: the list of metrics, its table, the dashboard and the alerts, held against
//! each other and against a running program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use keyway_shared::telemetry::metrics::{ALL, Kind, find, table};
use keyway_simulator::{Action, Fault};
use keyway_tests::database::Profile;
use promql_parser::label::Matcher;
use promql_parser::parser::{self, Expr, VectorSelector};
use serde_json::{Value, json};

use crate::integrations::world::{SYNC, World};

keyway_tests::on_both_profiles!(a_running_program_exposes_the_list_and_nothing_else);

const BEGIN: &str = "<!-- metrics: begin (written by `KEYWAY_UPDATE=1 cargo nextest run -p keyway-tests --test e2e metrics`) -->\n";
const END: &str = "<!-- metrics: end -->\n";
/// Labels that Prometheus adds.
const ADDED: [&str; 3] = ["instance", "job", "le"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whether to write is told by who runs the tests"
)]
fn the_table_in_the_docs_is_up_to_date() {
    let path = "docs/operations.md";
    let document = read(path);
    let (before, rest) = document.split_once(BEGIN).expect("the begin marker");
    let (_, after) = rest.split_once(END).expect("the end marker");
    let fresh = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var("KEYWAY_UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(root().join(path), &fresh).unwrap();
    } else {
        assert!(
            document == fresh,
            "{path} is out of date: run the tests once with KEYWAY_UPDATE=1"
        );
    }
}

/// A family as `/metrics` shows it: its type, and the labels of its series.
type Families = BTreeMap<String, (String, BTreeSet<BTreeSet<String>>)>;

fn exposed(text: &str) -> Families {
    let mut families = Families::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a type");
            families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let labels: BTreeSet<String> = line
                .split_once('{')
                .and_then(|(_, rest)| rest.rsplit_once('}'))
                .map(|(labels, _)| labels.split(r#"","#))
                .into_iter()
                .flatten()
                .filter_map(|label| label.split_once('=').map(|(name, _)| name.to_owned()))
                .filter(|label| label != "le")
                .collect();
            let family = find(name).map_or(name, |metric| metric.name);
            let (_, series) = families.get_mut(family).unwrap_or_else(|| panic!("{line}"));
            series.insert(labels);
        }
    }
    families
}

async fn a_running_program_exposes_the_list_and_nothing_else(profile: Profile) {
    let world = World::start_with(profile, |builder| builder.system_time = true).await;
    world.work().await;
    let secrets = json!({ "repoFullName": "acme/my-app", "environment": "production",
        "secrets": { "A": "1" } });
    world.me.post("/v1/secrets/push", secrets).await.data(200);
    // One provider that fails, and one that asks to wait.
    let limit = json!({ "error": { "code": "rate_limited", "message": "" } });
    let mut wait = Action::json(429, &limit);
    if let Action::Respond { headers, .. } = &mut wait {
        headers.insert("retry-after".to_owned(), "1".to_owned());
    }
    for action in [Action::json(500, &json!({})), wait] {
        world.vercel.fault(Fault::next(action).method("GET"));
        let report = world.me.post(SYNC, world.fields()).await.data(200);
        assert_eq!(report["status"], "success", "{report}");
    }

    let mut families = exposed(&world.app.anonymous().get("/metrics").await.text);
    // The first request is counted when it has been answered.
    families.extend(exposed(&world.app.anonymous().get("/metrics").await.text));
    for metric in ALL {
        let Some((kind, series)) = families.remove(metric.name) else {
            let only_with_redis = metric.name == "keyway_redis_up" && profile == Profile::Embedded;
            assert!(only_with_redis, "{} is not exposed", metric.name);
            continue;
        };
        assert_eq!(kind, metric.kind.as_str(), "{}", metric.name);
        let labels: BTreeSet<String> = metric.labels.iter().map(ToString::to_string).collect();
        for found in series {
            assert_eq!(found, labels, "{}", metric.name);
        }
    }
    assert!(families.is_empty(), "not in the list: {families:?}");
}

/// The names that the sources give to metrics.
fn named_in_sources() -> BTreeMap<String, Kind> {
    let mut names = BTreeMap::new();
    let mut folders: Vec<PathBuf> = ["api", "cli", "shared", "worker"]
        .map(|part| root().join(part).join("src"))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for (word, kind) in [
                ("counter!(", Kind::Counter),
                ("gauge!(", Kind::Gauge),
                ("histogram!(", Kind::Histogram),
            ] {
                for rest in text.split(word).skip(1) {
                    let Some(rest) = rest.trim_start().strip_prefix('"') else {
                        continue;
                    };
                    let name = rest.split('"').next().unwrap_or_default();
                    names.insert(name.to_owned(), kind);
                }
            }
        }
    }
    names
}

#[test]
fn every_metric_of_the_sources_is_in_the_list_and_the_other_way_round() {
    let listed: BTreeMap<_, _> = ALL
        .iter()
        .map(|metric| (metric.name.to_owned(), metric.kind))
        .collect();
    assert_eq!(named_in_sources(), listed);
}

/// Holds an expression against the list: each name is a metric, each label one of its labels.
fn check(place: &str, text: &str) {
    // Grafana's own variable, which is a duration.
    let text = text.replace("$__rate_interval", "5m");
    let expression =
        parser::parse(&text).unwrap_or_else(|error| panic!("{place}: {error}\n{text}"));
    let mut selectors = Vec::new();
    let mut grouped = BTreeSet::new();
    collect(&expression, &mut selectors, &mut grouped);
    assert!(!selectors.is_empty(), "{place}: {text}");
    let mut known: BTreeSet<&str> = ADDED.into();
    for selector in selectors {
        let name = selector.name.as_deref().unwrap_or_default();
        let metric = find(name).unwrap_or_else(|| panic!("{place}: there is no metric {name}"));
        for Matcher { name: label, .. } in &selector.matchers.matchers {
            let label = label.as_str();
            let fits = metric.labels.contains(&label) || ADDED.contains(&label);
            assert!(fits, "{place}: {name} has no label {label}");
        }
        known.extend(metric.labels);
    }
    for label in grouped {
        assert!(
            known.contains(label.as_str()),
            "{place}: no metric has a label {label}"
        );
    }
}

fn collect<'a>(
    expression: &'a Expr,
    selectors: &mut Vec<&'a VectorSelector>,
    grouped: &mut BTreeSet<String>,
) {
    match expression {
        Expr::VectorSelector(selector) => selectors.push(selector),
        Expr::MatrixSelector(matrix) => selectors.push(&matrix.vs),
        Expr::Aggregate(aggregate) => {
            if let Some(modifier) = &aggregate.modifier {
                grouped.extend(modifier.labels().labels.iter().cloned());
            }
            collect(&aggregate.expr, selectors, grouped);
        }
        Expr::Binary(binary) => {
            collect(&binary.lhs, selectors, grouped);
            collect(&binary.rhs, selectors, grouped);
        }
        Expr::Unary(unary) => collect(&unary.expr, selectors, grouped),
        Expr::Paren(paren) => collect(&paren.expr, selectors, grouped),
        Expr::Subquery(subquery) => collect(&subquery.expr, selectors, grouped),
        Expr::Call(call) => {
            for argument in &call.args.args {
                collect(argument, selectors, grouped);
            }
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

#[test]
fn alerts_use_metrics_that_there_are() {
    let rules: Value = serde_saphyr::from_str(&read("docs/prometheus-rules.yml")).unwrap();
    let mut alerts = Vec::new();
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            check(name, rule["expr"].as_str().unwrap());
            for part in ["for", "labels", "annotations"] {
                assert!(!rule[part].is_null(), "{name} has no {part}");
            }
            alerts.push(name.to_owned());
        }
    }
    assert_eq!(alerts.len(), 3, "the document speaks of three");
    let document = read("docs/operations.md");
    for alert in alerts {
        assert!(
            document.contains(&format!("`{alert}`")),
            "{alert} is not explained"
        );
    }
}

#[test]
fn the_dashboard_uses_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&read("docs/grafana-dashboard.json")).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            check(title, expression);
            shown.extend(
                ALL.iter()
                    .map(|metric| metric.name)
                    .filter(|name| expression.contains(name)),
            );
        }
    }
    let hidden: Vec<_> = ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !shown.contains(name))
        .collect();
    assert!(hidden.is_empty(), "in no panel: {hidden:?}");
}

#[test]
fn what_does_not_exist_is_found_out() {
    for (text, complaint) in [
        (
            "rate(keyway_nothing_total[5m])",
            "no metric keyway_nothing_total",
        ),
        (
            "sum by (user) (keyway_jobs_due)",
            "no metric has a label user",
        ),
        (r#"keyway_jobs_due{kind="sync"}"#, "no label kind"),
        ("rate(keyway_jobs_total", ""),
    ] {
        let failed = std::panic::catch_unwind(|| check("test", text)).expect_err(text);
        let message = failed.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(message.contains(complaint), "{message}");
    }
}
