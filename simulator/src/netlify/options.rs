//! What Netlify does not say about its API, or says in two ways: each is a switch.

use serde::{Deserialize, Serialize};

/// How it behaves. The default is what the published description and documentation say, or, where
/// they are silent, what is most likely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// How long each call takes.
    pub latency_ms: u64,
    /// When the load balancer gives up on a call. What the call did stays done.
    pub cut_after_ms: u64,

    /// Calls that a user may make in a window; none: any number.
    pub rate_limit: Option<u32>,
    /// The minute of that limit.
    pub window_ms: u64,
    /// A 429 has `Retry-After` too, of which the documentation does not speak.
    pub retry_after: bool,
    /// Builds of one site that start in a minute; none: any number.
    pub builds_per_minute: Option<usize>,
    /// Builds of one site that start in a day; none: any number.
    pub builds_per_day: Option<usize>,

    /// Refuses callers who do not name themselves, as the documentation tells them to.
    pub need_user_agent: bool,
    /// Takes an account's slug where the description says id, and the other way round.
    pub account_by_slug: bool,
    /// Sites on one page at the most, and when nothing else is asked for.
    pub page_size: usize,
    /// Fields without a value are null instead of not there.
    pub null_fields: bool,
    /// What errors look like.
    pub error_form: ErrorForm,
    /// Answers have an `x-nf-request-id`.
    pub request_ids: bool,
    /// Status of calls about team variables by a member who is no owner of the team.
    pub team_variables_status: u16,
    /// Status of calls about a team that enforces SAML, with a token that was not made for it.
    pub saml_status: u16,

    /// How long OAuth tokens last; none: for ever, and then none is refreshed.
    pub oauth_lifetime_secs: Option<u64>,
    /// What becomes of a PKCE challenge.
    pub pkce: Pkce,
    /// How a token request may be written.
    pub token_encoding: TokenEncoding,

    /// What a secret shows instead of its values.
    pub secret_values: SecretValues,
    /// A secret has to name its scopes; otherwise it gets those that it may have.
    pub secret_needs_scopes: bool,
    /// Teams that do not pay may name the scopes of secrets.
    pub free_secret_scopes: bool,
    /// A replacement that makes a secret readable is refused; otherwise it stays secret.
    pub refuse_unsecret: bool,
    /// Scopes are answered as `post_processing`, as the service does, and not as described.
    pub underscored_scopes: bool,

    /// What becomes of a value of one context beside one of `all`.
    pub all_with_others: AllWithOthers,
    /// What becomes of a create of a key that is there.
    pub on_conflict: OnConflict,
    /// Status of a refused create or renaming to a key that is there.
    pub conflict_status: u16,
    /// Of a create that is refused, what comes before the refused key is made.
    pub partial_creates: bool,
    /// What becomes of a variable whose last value is deleted.
    pub last_value: LastValue,
    /// A replacement of a variable keeps the ids of the values whose context stays.
    pub stable_value_ids: bool,
    /// A list for one context shows only the values of that context.
    pub context_filter_cuts_values: bool,

    /// Keys are letters, digits and underscores after a letter; otherwise anything that is not empty.
    pub safe_keys: bool,
    /// Names of the build's own variables are refused.
    pub refuse_read_only_keys: bool,
    /// Empty values are taken.
    pub empty_values: bool,
    /// Bytes of a value at the most; none: any number.
    pub max_value: Option<usize>,
    /// Characters of a key at the most; none: any number.
    pub max_key: Option<usize>,
    /// Variables of a site or of a team at the most; none: any number.
    pub max_variables: Option<usize>,

    /// Where the variables of a site are without its account.
    pub site_variables: SiteVariables,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            cut_after_ms: 30_000,
            rate_limit: Some(500),
            window_ms: 60_000,
            retry_after: false,
            builds_per_minute: Some(3),
            builds_per_day: Some(100),
            need_user_agent: true,
            account_by_slug: true,
            page_size: 100,
            null_fields: false,
            error_form: ErrorForm::Described,
            request_ids: true,
            team_variables_status: 403,
            saml_status: 401,
            oauth_lifetime_secs: None,
            pkce: Pkce::Ignored,
            token_encoding: TokenEncoding::Both,
            secret_values: SecretValues::Masked,
            secret_needs_scopes: true,
            free_secret_scopes: true,
            refuse_unsecret: true,
            underscored_scopes: true,
            all_with_others: AllWithOthers::Beside,
            on_conflict: OnConflict::Refused,
            conflict_status: 422,
            partial_creates: false,
            last_value: LastValue::KeyStays,
            stable_value_ids: false,
            context_filter_cuts_values: false,
            safe_keys: true,
            refuse_read_only_keys: false,
            empty_values: true,
            max_value: None,
            max_key: None,
            max_variables: None,
            site_variables: SiteVariables::AsDescribed,
        }
    }
}

/// What errors look like. Only the first is described; the others were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorForm {
    /// `{"code":422,"message":"…"}`
    Described,
    /// `{"code":422,"msg":"…"}`
    Msg,
    /// `{"errors":["…"]}`
    Errors,
    /// Plain text.
    Text,
}

/// What becomes of a PKCE challenge, of which nothing is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pkce {
    /// Nothing.
    Ignored,
    /// The code is worth nothing without its verifier.
    Checked,
    /// The authorization is refused.
    Refused,
}

/// How a token request may be written: both are seen in clients that work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenEncoding {
    /// As a form or as JSON.
    Both,
    /// As a form.
    Form,
    /// As JSON.
    Json,
}

/// What a secret shows instead of its values, `dev` aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretValues {
    /// Asterisks, and the last characters of a long value.
    Masked,
    /// An empty text.
    Empty,
    /// No such field.
    Absent,
}

/// What becomes of a value of one context beside one of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AllWithOthers {
    /// Both are there, and the one of the context wins.
    Beside,
    /// `all` becomes one value for each other context; a new `all` replaces the others.
    Split,
    /// The new one replaces what it cannot be with.
    Replaced,
    /// 422.
    Refused,
}

/// What becomes of a create of a key that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnConflict {
    /// The call is refused.
    Refused,
    /// The variable is replaced.
    Replaced,
    /// The variable stays as it is, and the answer shows it.
    Kept,
}

/// What becomes of a variable whose last value is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LastValue {
    /// It stays, without values.
    KeyStays,
    /// It goes.
    KeyGoes,
    /// 422.
    Refused,
}

/// Where the variables of a site are without its account. The description's path repeats the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SiteVariables {
    /// `/api/v1/api/v1/sites/{id}/env`
    AsDescribed,
    /// `/api/v1/sites/{id}/env`
    Once,
    /// Nowhere.
    Nowhere,
}
