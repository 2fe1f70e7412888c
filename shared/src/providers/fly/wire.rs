//! The API's JSON, as it comes and as it goes. Only what is used is read. A list that has nothing in it
//! may be `null` or not there.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::secret::Secret;

/// What each token of a bundle is good for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    #[serde(deserialize_with = "list")]
    pub tokens: Vec<TokenInfo>,
}

/// One token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenInfo {
    pub organization: Option<String>,
    pub org_slug: Option<String>,
    /// The apps that it is limited to.
    #[serde(deserialize_with = "list")]
    pub apps: Vec<String>,
    pub user: Option<String>,
}

/// The apps of an organization.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Apps {
    #[serde(deserialize_with = "list")]
    pub apps: Vec<App>,
}

/// An app.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct App {
    pub name: Option<String>,
}

/// The secrets of an app, or those that a write set.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AppSecrets {
    #[serde(deserialize_with = "listed")]
    secrets: Option<Vec<AppSecret>>,
    #[serde(deserialize_with = "number")]
    version: Option<u64>,
    /// The field's former name.
    #[serde(rename = "Version", deserialize_with = "number")]
    former_version: Option<u64>,
}

impl AppSecrets {
    /// Whether it is what it should be, and not any other JSON. UNCERTAIN: which of the two is always there.
    pub(super) const fn is_one(&self) -> bool {
        self.secrets.is_some() || self.version.is_some() || self.former_version.is_some()
    }

    /// The secrets.
    pub(super) fn secrets(self) -> Vec<AppSecret> {
        self.secrets.unwrap_or_default()
    }

    /// The version that a write made. UNCERTAIN: in which of its two fields an answer tells it.
    pub(super) fn version(&self) -> Option<u64> {
        self.version.or(self.former_version)
    }
}

/// A secret without its value, which is never shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AppSecret {
    pub name: Option<String>,
    pub digest: Option<String>,
}

/// Secrets to set and, where there is no value, to unset.
pub(super) type Values<'a> = BTreeMap<&'a str, Option<&'a Secret>>;

/// The body of a write.
#[derive(Serialize)]
pub(super) struct Update<'a> {
    #[serde(serialize_with = "exposed")]
    pub values: &'a Values<'a>,
}

fn exposed<S: Serializer>(values: &Values<'_>, to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(values.len()))?;
    for (name, value) in values {
        // `null` unsets, and a name that is not there would be left as it is.
        map.serialize_entry(name, &value.map(Secret::expose))?;
    }
    map.end()
}

/// A machine. Its config is text as it came: sent back whole it must not have lost anything that this
/// program does not know, down to the form of a number. It may hold values, and is not to be printed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Machine {
    pub id: Option<String>,
    pub name: Option<String>,
    pub state: Option<String>,
    /// Its version, which each update changes.
    pub instance_id: Option<String>,
    pub config: Option<Box<RawValue>>,
}

/// The body of an update of a machine.
#[derive(Serialize)]
pub(super) struct MachineUpdate<'a> {
    pub config: &'a RawValue,
    pub min_secrets_version: u64,
    /// Leaves it stopped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_launch: bool,
}

/// The body of a new lease.
#[derive(Serialize)]
pub(super) struct NewLease {
    /// Seconds.
    pub ttl: u32,
    pub description: &'static str,
}

/// A lease. UNCERTAIN: whether what it says is inside `data`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Lease {
    nonce: Option<Secret>,
    data: Option<LeaseData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LeaseData {
    nonce: Option<Secret>,
}

impl Lease {
    /// What shows that it is ours.
    pub(super) fn nonce(self) -> Option<Secret> {
        self.nonce.or_else(|| self.data?.nonce)
    }
}

/// A list, of which it is known whether it was there: `null` is one with nothing in it.
fn listed<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<T>>, D::Error> {
    list(from).map(Some)
}

fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A number, also one in quotes: a version that cannot be read must not make a write unconfirmed.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_is_sent_as_null() {
        let one = Secret::new("1");
        let values = Values::from([("A", Some(&one)), ("OLD", None)]);
        let body = serde_json::to_string(&Update { values: &values }).unwrap();
        assert_eq!(body, r#"{"values":{"A":"1","OLD":null}}"#);
    }

    #[test]
    fn what_is_left_out_is_nothing() {
        for (json, secrets, version) in [
            ("{}", 0, None),
            (r#"{"secrets":null,"version":null}"#, 0, None),
            (
                r#"{"secrets":[{"name":"A","value":""}],"Version":3}"#,
                1,
                Some(3),
            ),
            (r#"{"secrets":[],"version":"4","Version":3}"#, 0, Some(4)),
            (r#"{"secrets":[{}],"version":{}}"#, 1, None),
        ] {
            let read: AppSecrets = serde_json::from_str(json).unwrap();
            assert_eq!(read.is_one(), json != "{}", "{json}");
            assert_eq!(
                (read.version(), read.secrets().len()),
                (version, secrets),
                "{json}"
            );
        }
        let token: Tokens = serde_json::from_str(r#"{"tokens":[{"apps":null}]}"#).unwrap();
        assert!(token.tokens[0].apps.is_empty());
    }

    #[test]
    fn a_config_goes_back_as_it_came() {
        let config = r#"{ "z": 1.0, "a":1e2, "a": null,"big":123456789012345678901234567890 }"#;
        let json = format!(r#"{{"id":"1","config":{config},"checks":[]}}"#);
        let machine: Machine = serde_json::from_str(&json).unwrap();
        let update = MachineUpdate {
            config: &machine.config.unwrap(),
            min_secrets_version: 7,
            skip_launch: false,
        };
        let body = serde_json::to_string(&update).unwrap();
        assert_eq!(
            body,
            format!(r#"{{"config":{config},"min_secrets_version":7}}"#)
        );
        let none: Machine = serde_json::from_str(r#"{"config":null}"#).unwrap();
        assert!(none.config.is_none());
    }

    #[test]
    fn a_lease_is_bare_or_wrapped() {
        let nonce = |json: &str| {
            let lease: Lease = serde_json::from_str(json).unwrap();
            lease.nonce().map(|nonce| nonce.expose().to_owned())
        };
        assert_eq!(nonce(r#"{"nonce":"n","owner":"o"}"#).as_deref(), Some("n"));
        let wrapped = r#"{"status":"success","data":{"nonce":"n"}}"#;
        assert_eq!(nonce(wrapped).as_deref(), Some("n"));
        assert_eq!(nonce(r#"{"status":"success","data":null}"#), None);
    }
}
