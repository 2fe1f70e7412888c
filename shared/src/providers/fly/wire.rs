//! The API's JSON, as it comes and as it goes. Only what is used is read. A list that has nothing in it
//! may be `null` or not there.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    #[serde(deserialize_with = "list")]
    pub secrets: Vec<AppSecret>,
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

fn list<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
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
        for (json, secrets) in [
            ("{}", 0),
            (r#"{"secrets":null,"version":null}"#, 0),
            (
                r#"{"secrets":[{"name":"A","value":""}],"version":3,"Version":3}"#,
                1,
            ),
            (r#"{"secrets":[{}]}"#, 1),
        ] {
            let read: AppSecrets = serde_json::from_str(json).unwrap();
            assert_eq!(read.secrets.len(), secrets, "{json}");
        }
        let token: Tokens = serde_json::from_str(r#"{"tokens":[{"apps":null}]}"#).unwrap();
        assert!(token.tokens[0].apps.is_empty());
    }
}
