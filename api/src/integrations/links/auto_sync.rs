//! When a link syncs by itself, as requests and answers have it.

use chrono::{DateTime, Utc};
use keyway_shared::domain::auto_sync::{self, AutoAction, AutoMode, AutoSyncError, AutoSyncParts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;

/// When a link syncs by itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AutoSync {
    /// `off`; `on-change`: soon after the vault's environment has changed; `interval`: by the clock.
    #[schema(value_type = String, pattern = "^(off|on-change|interval)$")]
    mode: AutoMode,
    /// The pause between two runs, of 5 minutes to 30 days. Needs the mode `interval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]{1,6}[mhd]$", example = "15m")]
    every: Option<String>,
    /// Instead of `every`: a cron expression of five fields whose times are at least 5 minutes apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100, example = "30 3 * * 1-5")]
    cron: Option<String>,
    /// The IANA name of the time zone that `cron` is meant in; `UTC` without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// `write`: it syncs; `report`: it looks for differences and writes nothing, with the mode
    /// `interval` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, pattern = "^(write|report)$")]
    action: Option<AutoAction>,
}

impl AutoSync {
    /// What is asked for, when it can be.
    pub(super) fn check(&self, now: DateTime<Utc>) -> Result<auto_sync::AutoSync, ApiError> {
        let parts = AutoSyncParts {
            every: self.every.as_deref(),
            cron: self.cron.as_deref(),
            time_zone: self.time_zone.as_deref(),
            action: self.action,
        };
        let refuse =
            |error: AutoSyncError| ApiError::field(format!("autoSync.{}", error.field), error.rule);
        let auto = auto_sync::AutoSync::new(self.mode, parts).map_err(refuse)?;
        if let auto_sync::AutoSync::Interval(recurrence, _) = &auto {
            recurrence.check(now).map_err(refuse)?;
        }
        Ok(auto)
    }
}

impl From<&auto_sync::AutoSync> for AutoSync {
    fn from(auto: &auto_sync::AutoSync) -> Self {
        let parts = auto.parts();
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            mode: auto.mode(),
            every: text(parts.every),
            cron: text(parts.cron),
            time_zone: text(parts.time_zone),
            action: parts.action,
        }
    }
}
