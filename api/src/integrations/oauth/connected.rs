//! The end of an authorization: the connection is saved, and the browser is told so.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use keyway_shared::domain::account::User;
use keyway_shared::domain::activity::{Action, Activity, Platform};
use keyway_shared::domain::connection::{
    AuthMethod, Connection, ConnectionStatus, InstallSource, ProviderName,
};
use keyway_shared::store::{StoreError, Tx};
use uuid::Uuid;

use super::exchange::Exchanged;
use crate::context::request_id;
use crate::extract::ClientInfo;
use crate::integrations::connections::new_connection;
use crate::pages::{Page, Sign};
use crate::state::ApiState;

/// Who connects, and how that is known.
pub(super) struct Connecting<'a> {
    pub(super) user: &'a User,
    pub(super) provider: ProviderName,
    pub(super) client: &'a ClientInfo,
    /// The session that was asked, when one was.
    pub(super) session_id: Option<Uuid>,
    /// Where it was begun, when that was not here.
    pub(super) source: Option<InstallSource>,
}

/// What was saved.
pub(super) struct Connected {
    connection: Connection,
    /// Whether the account was connected before.
    again: bool,
    /// Names of the user's other accounts there that have to be connected again: somebody may have
    /// meant one of these.
    waiting: Vec<String>,
}

/// Saves the connection, with its entry in the log.
pub(super) async fn connect(
    tx: &mut Tx,
    state: &ApiState,
    who: &Connecting<'_>,
    exchanged: Exchanged,
    now: DateTime<Utc>,
) -> Result<Connected, StoreError> {
    let new = new_connection(
        state.ambient.new_id(),
        who.user.id,
        who.provider,
        &exchanged.account,
        AuthMethod::OAuth,
        exchanged.installation_id,
        now,
    );
    let connection = tx.upsert_connection_with(&new, &exchanged.token).await?;
    let mut metadata = serde_json::json!({ "provider": who.provider, "method": AuthMethod::OAuth });
    if let Some(source) = who.source {
        metadata["source"] = source.as_str().into();
    }
    tx.insert_activity(&Activity {
        id: state.ambient.new_id(),
        at: now,
        action: Action::IntegrationConnected,
        user_id: Some(who.user.id),
        username: who.user.username.clone(),
        vault_id: None,
        repo_full_name: None,
        // Whatever it says it is: only a browser comes this way.
        platform: Platform::Web,
        ip: who.client.ip.clone(),
        api_key_id: None,
        session_id: who.session_id,
        request_id: Some(request_id().as_ref().to_owned()),
        metadata,
    })
    .await?;
    let waiting = tx.list_connections(who.user.id).await?.into_iter();
    let waiting = waiting
        .filter(|other| {
            other.provider == who.provider && other.status == ConnectionStatus::NeedsReconnect
        })
        .map(|other| other.account_name)
        .collect();
    Ok(Connected {
        again: connection.id != new.id,
        connection,
        waiting,
    })
}

impl Connected {
    /// The page that tells so.
    pub(super) fn page(&self, state: &ApiState, display: &str, user: &User) -> Response {
        let name = &self.connection.account_name;
        let title = match (self.waiting.is_empty(), self.again) {
            (false, _) => format!("Is this the {display} account that you meant?"),
            (true, true) => format!("{display} is connected again"),
            (true, false) => format!("{display} is connected"),
        };
        let text = if self.again {
            format!("What was linked with {name} goes on. You can close this page.")
        } else {
            format!("You can close this page, and choose in Keyway what to sync with {name}.")
        };
        let waiting = self.waiting.join(", ");
        let other = format!(
            "{name} is connected. Still to be connected again: {waiting}. If you meant that, change to \
             it at {display}, and start again."
        );
        let mut page = Page::new(StatusCode::OK, Sign::Done, &title, &text);
        if !self.waiting.is_empty() {
            page.sign = Sign::Notice;
            page.text.insert(0, &other);
        }
        let account = format!("{display} account");
        page.facts = vec![(&account, name), ("Keyway user", &user.username)];
        page.answer(state)
    }
}
