//! The API's JSON, as it comes and as it goes. Only what is used is read; a project's embedded
//! variables and the deploy hooks of its link, which are secrets, are never kept.

use serde::{Deserialize, Serialize, Serializer};

use crate::providers::lenient::{flag, items, number, secret, text, texts};
use crate::secret::Secret;

/// An environment variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Env {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub key: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub value: Option<Secret>,
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub target: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub custom_environment_ids: Vec<String>,
    #[serde(deserialize_with = "text")]
    pub git_branch: Option<String>,
    #[serde(deserialize_with = "text")]
    pub configuration_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub visibility: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub decrypted: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub system: Option<bool>,
    #[serde(deserialize_with = "text")]
    pub updated_at: Option<String>,
}

/// A list of variables, in its two declared forms.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EnvList {
    pub envs: Option<Vec<Env>>,
    pub pagination: Option<Pagination>,
    #[serde(deserialize_with = "number")]
    pub hidden_production_env_count: Option<f64>,
}

/// Where the next page is. An opaque text: a time, a number or a token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pagination {
    #[serde(deserialize_with = "text")]
    pub next: Option<String>,
}

/// What became of a batch, beside a 201 or beside a refusal.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Created {
    #[serde(deserialize_with = "items")]
    pub created: Vec<Env>,
    #[serde(deserialize_with = "items")]
    pub failed: Vec<Failed>,
}

/// One variable of a batch that was refused.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Failed {
    #[serde(deserialize_with = "items")]
    pub error: Vec<ErrorDetail>,
}

/// What was deleted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deleted {
    #[serde(deserialize_with = "number")]
    pub deleted: Option<f64>,
    #[serde(deserialize_with = "texts")]
    pub ids: Vec<String>,
}

/// A refusal: `error` or `err`, or the detail itself, with what was done beside it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorBody {
    #[serde(deserialize_with = "items")]
    pub error: Vec<ErrorDetail>,
    #[serde(deserialize_with = "items")]
    pub err: Vec<ErrorDetail>,
    #[serde(deserialize_with = "text")]
    pub code: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub message: Option<Secret>,
    #[serde(deserialize_with = "items")]
    pub limit: Vec<Limit>,
    #[serde(deserialize_with = "items")]
    pub created: Vec<Env>,
    #[serde(deserialize_with = "items")]
    pub failed: Vec<Failed>,
}

/// What was wrong. The message may hold values: it is looked into for two phrases and dropped.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ErrorDetail {
    #[serde(deserialize_with = "text")]
    pub code: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub message: Option<Secret>,
    #[serde(deserialize_with = "text")]
    pub key: Option<String>,
    #[serde(deserialize_with = "text")]
    pub env_var_key: Option<String>,
    #[serde(deserialize_with = "flag")]
    pub invalid_token: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub saml: Option<bool>,
    #[serde(deserialize_with = "items")]
    pub limit: Vec<Limit>,
}

/// A rate limit that was met.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Limit {
    #[serde(deserialize_with = "number")]
    pub total: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub reset: Option<f64>,
    #[serde(deserialize_with = "number")]
    pub reset_ms: Option<f64>,
}

/// What a code was exchanged for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccessToken {
    #[serde(rename = "access_token", deserialize_with = "secret")]
    pub token: Option<Secret>,
    #[serde(deserialize_with = "text")]
    pub installation_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub team_id: Option<String>,
}

/// A page of projects.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProjectList {
    pub projects: Option<Vec<Project>>,
    pub pagination: Option<Pagination>,
}

/// A project.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Project {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub account_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub framework: Option<String>,
    #[serde(deserialize_with = "items")]
    pub link: Vec<Link>,
    #[serde(deserialize_with = "items")]
    pub custom_environments: Vec<CustomEnvironment>,
}

/// The repository of a project: the union of every provider's fields, known and to come.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Link {
    #[serde(rename = "type", deserialize_with = "text")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub org: Option<String>,
    #[serde(deserialize_with = "text")]
    pub repo: Option<String>,
    #[serde(deserialize_with = "text")]
    pub owner: Option<String>,
    #[serde(deserialize_with = "text")]
    pub slug: Option<String>,
    #[serde(deserialize_with = "text")]
    pub project_namespace: Option<String>,
    #[serde(deserialize_with = "text")]
    pub project_name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub project_url: Option<String>,
}

/// The environments that a project made for itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CustomEnvironments {
    #[serde(deserialize_with = "items")]
    pub environments: Vec<CustomEnvironment>,
}

/// One of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CustomEnvironment {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub slug: Option<String>,
}

/// Whose token it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UserAnswer {
    #[serde(deserialize_with = "items")]
    pub user: Vec<User>,
}

/// A user, with limited fields for some tokens.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub username: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub email: Option<String>,
}

/// A team.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Team {
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub slug: Option<String>,
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
}

/// A variable to create, or to update where a row has exactly these environments.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewEnv<'a> {
    pub key: &'a str,
    pub value: Exposed<'a>,
    #[serde(rename = "type")]
    pub kind: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_environment_ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<&'a str>,
}

/// An edit. It never bears a `key`, which makes the API refuse edits of sensitive rows, nor a
/// `type`, so that the row keeps its own. `target` and `customEnvironmentIds` replace what was
/// there, so each is the complete set.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvPatch<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Exposed<'a>>,
    pub target: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_environment_ids: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_branch: Option<&'a str>,
}

/// Rows to delete.
#[derive(Debug, Serialize)]
pub(super) struct Ids<'a> {
    pub ids: &'a [&'a str],
}

/// A value on its way into a body: the only place where it leaves its wrapper.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exposed<'a>(pub &'a Secret);

impl Serialize for Exposed<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_however_it_comes() {
        let env: Env = serde_json::from_str(
            r#"{"id":"e1","key":"A","value":null,"type":"of-tomorrow","target":"preview",
                "gitBranch":null,"updatedAt":1.7e12,"decrypted":false,"contentHint":{"type":"x"},
                "securityIssues":[{}],"configurationId":null,"unheardOf":[1,{"a":2}]}"#,
        )
        .unwrap();
        assert_eq!(env.target, ["preview"]);
        assert_eq!(env.updated_at.as_deref(), Some("1700000000000"));
        assert_eq!((env.value, env.git_branch), (None, None));
        assert_eq!(env.decrypted, Some(false));
        let env: Env = serde_json::from_str(
            r#"{"target":["production",null],"customEnvironmentIds":["env_1"]}"#,
        )
        .unwrap();
        assert_eq!(env.target, ["production"]);
        assert_eq!(env.custom_environment_ids, ["env_1"]);
        assert!(serde_json::from_str::<Env>("{}").is_ok());
    }

    #[test]
    fn created_is_one_or_many_or_none() {
        let count = |text: &str| {
            serde_json::from_str::<Created>(text)
                .map(|answer| (answer.created.len(), answer.failed.len()))
                .unwrap()
        };
        assert_eq!(count(r#"{"created":{"key":"A"},"failed":[]}"#), (1, 0));
        assert_eq!(count(r#"{"created":[{"key":"A"},{"key":"B"}]}"#), (2, 0));
        assert_eq!(
            count(
                r#"{"failed":[{"error":{"code":"X","envVarKey":"A","value":["v"],"target":"preview"}}],"created":null}"#
            ),
            (0, 1)
        );
    }

    #[test]
    fn an_edit_says_only_what_it_must() {
        let value = Secret::new("v");
        let mut patch = EnvPatch {
            value: None,
            target: vec!["preview"],
            custom_environment_ids: None,
            git_branch: None,
        };
        let json = |patch: &EnvPatch<'_>| serde_json::to_string(patch).unwrap();
        assert_eq!(json(&patch), r#"{"target":["preview"]}"#);
        patch.value = Some(Exposed(&value));
        patch.target.clear();
        patch.custom_environment_ids = Some(vec![]);
        assert_eq!(
            json(&patch),
            r#"{"value":"v","target":[],"customEnvironmentIds":[]}"#
        );
    }
}
