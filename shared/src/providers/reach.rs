//! Whether a provider answers at all: for `keyway doctor`. No credential is sent.

use std::time::Duration;

use super::http::HttpClient;
use super::message::Call;
use super::{CallFamily, ProviderError};
use crate::ambient::Ambient;
use crate::domain::connection::ProviderName;

/// Asks `origin` for anything and gives the status of the answer. Any answer, a refusal as well,
/// shows that names resolve, that the way there is open and that TLS is in order. `setting` names
/// the origin.
pub async fn reachable(
    provider: ProviderName,
    setting: &'static str,
    origin: &str,
    timeout: Duration,
    ambient: Ambient,
) -> Result<u16, ProviderError> {
    let client = HttpClient::new(provider, setting, origin, timeout, ambient)
        .map_err(|_| ProviderError::Unavailable)?;
    let call = Call {
        op: "reach",
        family: CallFamily::Account,
        ..Call::get("/", Vec::new())
    };
    client
        .call(None, call, |answer| Ok::<_, ProviderError>(answer.status))
        .await
}
