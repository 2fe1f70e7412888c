//! What Fly.io does not say about its Machines API, or says in two ways: each is a switch.

use serde::{Deserialize, Serialize};

/// How it behaves. The default is what the published description and documentation say, or, where
/// they are silent, what is most likely.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// How long each call takes.
    pub latency_ms: u64,
    /// When the proxy in front gives up on a call. What the call did stays done.
    pub cut_after_ms: u64,

    /// Calls of one action to one app or machine in a second; none: any number.
    pub rate_limit: Option<u64>,
    /// How many of those may come at once.
    pub burst: u64,
    /// The same for reading one machine; none: any number.
    pub machine_read_rate_limit: Option<u64>,
    /// How many of those may come at once.
    pub machine_read_burst: u64,
    /// A 429 has `Retry-After`, of which the documentation does not speak.
    pub retry_after: bool,

    /// What errors look like.
    pub error_form: ErrorForm,
    /// Errors about a value repeat it.
    pub errors_echo_values: bool,
    /// Answers have a `fly-request-id`.
    pub request_ids: bool,
    /// Fields without a value are null instead of not there.
    pub null_fields: bool,

    /// `Bearer` is as good as `FlyV1` for macaroons: the documentation of the Machines API shows it for
    /// all tokens, while the vendor's own client always sends `FlyV1` with them.
    pub bearer_macaroons: bool,
    /// What a token that is limited to apps gets instead of the list of its organization's apps.
    pub app_token_list: AppTokenList,
    /// Status of calls about an app or an organization that exists out of the token's reach.
    pub out_of_reach_status: u16,

    /// Hexadecimal digits of a digest: 16 were seen lately, the documentation shows 32.
    pub digest_length: usize,
    /// Which of the two fields tells the version after a write.
    pub version_field: VersionField,
    /// Which secrets the answer to a write has.
    pub written: Written,
    /// Query parameter of the least version to read.
    pub version_parameter: VersionParameter,
    /// How long a write takes to reach those who name no version, and the machines.
    pub lag_ms: u64,
    /// Status where a version is asked for that is not there yet.
    pub version_ahead_status: u16,
    /// A value that is set again as it was makes a new version.
    pub same_value_is_new: bool,
    /// A write to an app is refused with 409 while another is under way.
    pub concurrent_writes_conflict: bool,
    /// A write of nothing at all is refused.
    pub refuse_no_values: bool,
    /// To delete a name that is not there, by its own call, is refused with 404.
    pub refuse_unknown_delete: bool,

    /// Names are letters, digits and underscores after a letter or an underscore; otherwise anything
    /// that is not empty.
    pub safe_names: bool,
    /// Names of what the runtime sets itself are refused.
    pub refuse_runtime_names: bool,
    /// Empty values are taken.
    pub empty_values: bool,
    /// Bytes of a value at the most; none: any number.
    pub max_value: Option<usize>,
    /// Secrets of an app at the most; none: any number.
    pub max_secrets: Option<usize>,

    /// A restart gives a machine the newest secrets, as a start and an update do.
    pub restart_takes_secrets: bool,
    /// How long a machine takes to be started after an update, a start or a restart.
    pub start_ms: u64,
    /// What a lease looks like.
    pub lease_form: LeaseForm,
    /// A nonce of a lease that is over is refused with 409; otherwise it means nothing.
    pub refuse_stale_nonce: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            cut_after_ms: 60_000,
            rate_limit: Some(1),
            burst: 3,
            machine_read_rate_limit: Some(5),
            machine_read_burst: 10,
            retry_after: false,
            error_form: ErrorForm::Described,
            errors_echo_values: false,
            request_ids: true,
            null_fields: false,
            bearer_macaroons: true,
            app_token_list: AppTokenList::Refused,
            out_of_reach_status: 403,
            digest_length: 16,
            version_field: VersionField::Both,
            written: Written::Set,
            version_parameter: VersionParameter::MinVersion,
            lag_ms: 0,
            version_ahead_status: 412,
            same_value_is_new: true,
            concurrent_writes_conflict: false,
            refuse_no_values: false,
            refuse_unknown_delete: true,
            safe_names: true,
            refuse_runtime_names: false,
            empty_values: true,
            max_value: None,
            max_secrets: None,
            restart_takes_secrets: false,
            start_ms: 0,
            lease_form: LeaseForm::Wrapped,
            refuse_stale_nonce: false,
        }
    }
}

impl Options {
    /// No limits, for tests that are about something else.
    pub const fn unlimited(&mut self) {
        self.rate_limit = None;
        self.machine_read_rate_limit = None;
    }
}

/// What errors look like. Only the first is described; the others were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorForm {
    /// `{"error":"…","status":"unknown"}`
    Described,
    /// `{"error":"…"}`
    ErrorOnly,
    /// `{"message":"…"}`
    Message,
    /// `{"errors":{"detail":"…"}}`
    Detail,
    /// Plain text.
    Text,
}

/// What a token that is limited to apps gets instead of the list of its organization's apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AppTokenList {
    /// 403.
    Refused,
    /// Its own apps.
    OwnApps,
    /// None.
    Empty,
}

/// Which field tells the version of the secrets after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VersionField {
    /// `version` and the deprecated `Version`.
    Both,
    /// `version`
    New,
    /// `Version`
    Deprecated,
}

/// Which secrets the answer to a write has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Written {
    /// Those that were set.
    Set,
    /// All of the app.
    All,
    /// None.
    Nothing,
}

/// Query parameter of the least version to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VersionParameter {
    /// `min_version`, as described.
    MinVersion,
    /// `version`, as the vendor's own client sends it.
    Version,
    /// Either.
    Both,
}

/// What a lease looks like. Neither is in the part of the description that we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeaseForm {
    /// `{"status":"success","data":{"nonce":"…",…}}`
    Wrapped,
    /// `{"nonce":"…",…}`
    Bare,
}
