//! What handlers take out of a request. Every rejection is an [`ApiError`](crate::error::ApiError).

pub(crate) mod body;
mod caller;
mod change;
mod client;
mod credential;
mod environment;
pub(crate) mod field;
mod form;
mod path;
mod query;

pub(crate) use body::bytes;
pub use body::{Json, Strict};
pub use caller::Caller;
pub(crate) use change::Change;
pub use client::ClientInfo;
pub(crate) use client::{client_address, network_of};
pub use credential::Credential;
pub(crate) use environment::{admit, admit_all, open_environment, open_environment_by_id};
pub(crate) use form::Form;
pub(crate) use path::open_vault;
pub use path::{Path, VaultPath};
pub use query::{Page, Query, StrictQuery};
