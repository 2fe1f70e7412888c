//! Storage: one unit of work ([`Tx`]) over SQLite or Postgres.
//!
//! Every method of [`Tx`] stands in the file of its aggregate, with its query as plain code. Lookups
//! give an `Option`; what touches tenant data takes the owner or the vault first; the methods that the
//! engine needs without an owner say so. Values and tokens are sealed and opened here, so that no
//! caller ever sees a ciphertext. `sqlx` appears nowhere else.
//!
//! No call to the outside may be made while a [`Tx`] is open.

pub mod activity;
pub mod api_keys;
pub mod authority;
pub mod connections;
pub mod destinations;
mod dialect;
pub mod environments;
mod error;
pub mod gates;
pub mod github;
pub mod idempotency;
pub mod jobs;
pub mod links;
mod nodelay;
pub mod oauth_states;
mod open;
pub mod pauses;
pub mod pending_connections;
pub mod plans;
pub mod processes;
pub mod received;
pub mod renewals;
pub mod reports;
pub mod retention;
pub mod rotations;
pub mod sealed;
pub mod secrets;
pub mod sessions;
mod settings;
pub mod sign_ins;
pub mod splits;
mod tx;
pub mod users;
pub mod vaults;
pub mod webhooks;
mod write_ahead_log;

/// Rows in one statement of a bulk write: few statements for a thousand rows, and far below the
/// number of parameters that either database takes.
const CHUNK: usize = 500;

pub use authority::{JobAuthority, JobOwner};
pub use destinations::{DestinationNews, KnownDestination};
pub use error::{Constraint, StoreError};
pub use idempotency::{Authority, KeptAnswer, Keyed, KeyedRequest, RememberedRequests};
pub use jobs::{
    Accepted, Cancelled, Claim, Handback, JobFilter, JobView, QueueDepth, Renewal, ReturnedJob,
    Settlement,
};
pub use links::StartedRuns;
pub use oauth_states::OAuthState;
pub use open::{Backend, Store, StoreOptions};
pub use pauses::Pause;
pub use pending_connections::PendingConnection;
pub use plans::StoredPlan;
pub use processes::ALIVE_WITHIN;
pub use reports::Report;
pub use retention::Kept;
pub use sealed::{Resealed, SEALED, SealedColumn};
pub use secrets::{PushStats, PutOutcome, SecretVersion};
pub use sign_ins::{BrowserSignIn, DeviceAnswer, DeviceSignIn};
pub use splits::SplitRecord;
pub use tx::Tx;
pub use vaults::VaultSummary;
