//! What every process of Keyway shares: the domain, the planner, storage, the queue's bell and
//! signals, the providers, encryption, configuration and telemetry.
//!
//! Modules form layers and use only what stands before them: [`clock`], [`entropy`], [`secret`] →
//! [`domain`] and [`sync`] (no IO) → [`crypto`], [`config`] → [`store`], [`queue`], [`providers`],
//! [`guarded`] → [`github`], [`renewal`] → [`telemetry`], [`lifecycle`].

pub mod ambient;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod entropy;
#[doc(hidden)]
pub mod fuzzing;
pub mod github;
pub mod guarded;
pub mod lifecycle;
pub mod providers;
pub mod queue;
pub mod renewal;
pub mod secret;
pub mod store;
pub mod sync;
pub mod telemetry;
