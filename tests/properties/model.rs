//! A project's variables as Vercel keeps them, written from its reference and knowing nothing of the
//! code under test. (key, environment, branch) is unique; a row has one value for all its
//! environments; what lists and writes answer of an encrypted value is ciphertext.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::case::{Kind, Row, Slot, Switch};

pub(crate) const CUSTOM: [(&str, &str); 2] = [("env_a", "qa"), ("env_b", "uat")];

/// Names that Vercel refuses or gives their value itself.
pub(crate) fn is_reserved(key: &str) -> bool {
    const REFUSED: [&str; 11] = [
        "AWS_SECRET_KEY",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "NOW_REGION",
        "TZ",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ];
    REFUSED.contains(&key)
        || ["VERCEL_", "NEXT_PUBLIC_VERCEL_"]
            .iter()
            .any(|prefix| key.starts_with(prefix))
}

/// Names whose values frameworks show to browsers, so that they cannot be sensitive.
pub(crate) fn is_public(key: &str) -> bool {
    ["NEXT_PUBLIC_", "VITE_"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) kind: Kind,
    pub(crate) slots: BTreeSet<Slot>,
    pub(crate) integration: bool,
    updated: u64,
}

/// A value and its row's kind, by key and slot.
pub(crate) type Values = BTreeMap<(String, Slot), (String, Kind)>;

/// A refusal: status, code, and the item it is about.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) u16, pub(crate) &'static str);

/// What is asked of one variable: the body of a write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    key: Option<String>,
    value: Option<String>,
    kind: Option<String>,
    target: Option<BTreeSet<String>>,
    custom: Option<BTreeSet<String>>,
    branch: Option<String>,
}

impl Asked {
    pub(crate) fn from(json: &Json) -> Self {
        let text = |name: &str| json[name].as_str().map(ToOwned::to_owned);
        let list = |name: &str| {
            let items = json.get(name)?.as_array()?.iter();
            Some(
                items
                    .filter_map(Json::as_str)
                    .map(ToOwned::to_owned)
                    .collect(),
            )
        };
        Self {
            key: text("key"),
            value: text("value"),
            kind: text("type"),
            target: list("target"),
            custom: list("customEnvironmentIds"),
            branch: text("gitBranch"),
        }
    }

    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: Vec<Stored>,
    pub(crate) rules: BTreeSet<Switch>,
    made: u64,
    time: u64,
}

impl Model {
    pub(crate) fn is(&self, rule: Switch) -> bool {
        self.rules.contains(&rule)
    }

    /// Adds a row as a person or an integration would.
    pub(crate) fn add(&mut self, row: &Row) {
        let stored = Stored {
            id: self.new_id(),
            key: row.key.clone(),
            value: match row.kind {
                Kind::System => "VERCEL_URL".to_owned(),
                _ => row.value.text().to_owned(),
            },
            kind: row.kind,
            slots: row.slots.clone(),
            integration: row.integration,
            updated: self.tick(),
        };
        self.rows.push(stored);
    }

    /// A person edits or removes the row that gives `slot` its value.
    pub(crate) fn edit(&mut self, key: &str, slot: Slot, value: Option<&str>) {
        let time = self.tick();
        let serves = |row: &Stored| row.key == key && row.slots.contains(&slot);
        match value {
            None => self.rows.retain(|row| !serves(row)),
            Some(value) => {
                if let Some(row) = self.rows.iter_mut().find(|row| serves(row))
                    && row.kind != Kind::System
                {
                    value.clone_into(&mut row.value);
                    row.updated = time;
                }
            }
        }
    }

    pub(crate) fn values(&self) -> Values {
        let each = self.rows.iter().flat_map(|row| {
            let value = (row.value.clone(), row.kind);
            row.slots
                .iter()
                .map(move |slot| ((row.key.clone(), *slot), value.clone()))
        });
        each.collect()
    }

    pub(crate) fn at(&self, slot: Slot) -> BTreeMap<String, Stored> {
        let rows = self.rows.iter().filter(|row| row.slots.contains(&slot));
        rows.map(|row| (row.key.clone(), row.clone())).collect()
    }

    /// Rows that a list shows, and how many it holds back.
    pub(crate) fn listed(&self, hide: bool) -> (Vec<Json>, usize) {
        let hide = hide || self.is(Switch::HideProduction);
        let hidden = |row: &&Stored| hide && row.slots.contains(&Slot::Production);
        let shown = self
            .rows
            .iter()
            .filter(|row| !hidden(row))
            .map(Stored::json);
        (shown.collect(), self.rows.iter().filter(hidden).count())
    }

    /// One row with its value, where that can be read.
    pub(crate) fn one(&self, id: &str) -> Result<Json, Refused> {
        let row = self.rows.iter().find(|row| row.id == id).ok_or(GONE)?;
        let mut json = row.json();
        match row.kind {
            Kind::Sensitive | Kind::Opaque => {
                json["decrypted"] = json!(false);
                json.as_object_mut().map(|fields| fields.remove("value"));
            }
            _ => {
                json["decrypted"] = json!(true);
                json["value"] = json!(row.value);
            }
        }
        Ok(json)
    }

    /// Creates a row, or gives the row of exactly these environments the value.
    pub(crate) fn upsert(&mut self, asked: &Asked) -> Result<Json, Refused> {
        let (Some(key), Some(value)) = (&asked.key, &asked.value) else {
            return Err(Refused(400, "MISSING_VALUE"));
        };
        if is_reserved(key) {
            return Err(Refused(400, "KEY_RESERVED"));
        }
        let targets = asked.target.clone().unwrap_or_default();
        let custom = asked.custom.clone().unwrap_or_default();
        let slots = slots(&targets, &custom, asked.branch.as_deref())?;
        let kind = match asked.kind.as_deref() {
            Some("plain") => Kind::Plain,
            Some("encrypted") => Kind::Encrypted,
            Some("sensitive") => Kind::Sensitive,
            _ => return Err(Refused(400, "VALUE_INVALID_TYPE")),
        };
        let overlap = |row: &Stored| row.key == *key && !row.slots.is_disjoint(&slots);
        let exact = self
            .rows
            .iter()
            .position(|row| row.key == *key && row.slots == slots);
        if exact.is_none() && self.rows.iter().any(overlap) {
            return Err(Refused(400, "ENV_CONFLICT"));
        }
        let refused_here =
            slots.contains(&Slot::Development) && self.is(Switch::DevelopmentReadable);
        if kind == Kind::Sensitive && (is_public(key) || refused_here) {
            return Err(Refused(400, "BAD_REQUEST"));
        }
        let updated = self.tick();
        if let Some(row) = exact.map(|at| &mut self.rows[at]) {
            if row.kind == Kind::System {
                return Err(Refused(400, "SYSTEM_ENV_WITH_VALUE"));
            }
            // A secret does not become readable again.
            if !matches!(row.kind, Kind::Sensitive | Kind::Opaque) {
                row.kind = kind;
            }
            value.clone_into(&mut row.value);
            row.updated = updated;
            return Ok(row.json());
        }
        let row = Stored {
            id: self.new_id(),
            key: key.clone(),
            value: value.clone(),
            kind,
            slots,
            integration: false,
            updated,
        };
        let json = row.json();
        self.rows.push(row);
        Ok(json)
    }

    /// Edits a row. Each list that is given replaces the row's.
    pub(crate) fn patch(&mut self, id: &str, asked: &Asked) -> Result<Json, Refused> {
        let at = self.rows.iter().position(|row| row.id == id).ok_or(GONE)?;
        let row = &self.rows[at];
        if row.kind == Kind::Sensitive && (asked.key.is_some() || asked.kind.is_some()) {
            return Err(Refused(400, "BAD_REQUEST"));
        }
        if row.kind == Kind::System && asked.value.is_some() {
            return Err(Refused(400, "SYSTEM_ENV_WITH_VALUE"));
        }
        let (targets, custom) = row.scopes();
        let branch = row.branch();
        let slots = slots(
            &asked.target.clone().unwrap_or(targets),
            &asked.custom.clone().unwrap_or(custom),
            asked.branch.as_deref().or(branch),
        )?;
        let conflict = self.rows.iter().enumerate().any(|(other, row)| {
            other != at && row.key == self.rows[at].key && !row.slots.is_disjoint(&slots)
        });
        if conflict {
            return Err(Refused(400, "ENV_CONFLICT"));
        }
        let updated = self.tick();
        let row = &mut self.rows[at];
        row.slots = slots;
        row.updated = updated;
        if let Some(value) = &asked.value {
            value.clone_into(&mut row.value);
        }
        Ok(row.json())
    }

    /// Deletes rows, all environments of them; gives the ids that were there.
    pub(crate) fn delete(&mut self, ids: &[&str]) -> Result<Vec<String>, Refused> {
        let there = |rows: &[Stored], id: &str| rows.iter().any(|row| row.id == id);
        if self.is(Switch::Delete404) && ids.iter().any(|id| !there(&self.rows, id)) {
            return Err(GONE);
        }
        let gone = ids.iter().filter(|id| there(&self.rows, id));
        let gone: Vec<String> = gone.map(ToString::to_string).collect();
        self.rows.retain(|row| !gone.contains(&row.id));
        Ok(gone)
    }

    fn new_id(&mut self) -> String {
        self.made += 1;
        format!("row{}", self.made)
    }

    fn tick(&mut self) -> u64 {
        self.time += 1;
        1_790_000_000_000 + self.time
    }
}

const GONE: Refused = Refused(404, "not_found");

fn slots(
    targets: &BTreeSet<String>,
    custom: &BTreeSet<String>,
    branch: Option<&str>,
) -> Result<BTreeSet<Slot>, Refused> {
    let suffix = branch
        .map(|branch| format!("@{branch}"))
        .unwrap_or_default();
    let only_preview = targets.len() == 1 && targets.contains("preview") && custom.is_empty();
    let known = |name: &String| ["production", "preview", "development"].contains(&name.as_str());
    if !targets.iter().all(known) {
        return Err(Refused(400, "BAD_REQUEST"));
    }
    if targets.is_empty() && custom.is_empty() || branch.is_some() && !only_preview {
        return Err(Refused(400, "MISSING_TARGET"));
    }
    let built_in = targets.iter().map(|name| format!("{name}{suffix}"));
    let all = built_in
        .chain(custom.iter().cloned())
        .map(|word| word.parse());
    all.collect::<Result<_, _>>()
        .map_err(|_| Refused(400, "BAD_REQUEST"))
}

impl Stored {
    fn scopes(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (custom, built_in): (BTreeSet<Slot>, BTreeSet<Slot>) =
            self.slots.iter().partition(|slot| slot.is_custom());
        let names = |slots: BTreeSet<Slot>| slots.into_iter().map(|slot| slot.scope().to_owned());
        (names(built_in).collect(), names(custom).collect())
    }

    fn branch(&self) -> Option<&'static str> {
        self.slots.iter().find_map(|slot| slot.branch())
    }

    fn json(&self) -> Json {
        let (targets, custom) = self.scopes();
        let mut json = json!({
            "id": self.id, "key": self.key, "createdAt": 1, "updatedAt": self.updated,
            "type": match self.kind { Kind::Opaque => "encrypted", kind => kind.word() },
            "value": match self.kind {
                Kind::Plain | Kind::System => self.value.clone(),
                Kind::Sensitive => String::new(),
                Kind::Encrypted | Kind::Opaque => format!("cipher:{}:{}", self.id, self.updated),
            },
            "configurationId": self.integration.then_some("icfg_1"),
            "gitBranch": self.branch(), "securityIssues": [],
        });
        if !targets.is_empty() {
            json["target"] = json!(targets);
        }
        if !custom.is_empty() {
            json["customEnvironmentIds"] = json!(custom);
        }
        json
    }
}
