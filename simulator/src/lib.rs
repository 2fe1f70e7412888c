//! Stateful stand-ins of hosting providers over HTTP, for tests, benchmarks and `keyway simulate`.
//!
//! They share no code with the clients of `keyway-shared`: the two check each other. What a
//! stand-in does follows the vendor's published description and documentation; where a vendor's
//! behaviour is not certain, it is an option.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use keyway_simulator::vercel::{Preset, Vercel};
//!
//! let vercel = Vercel::start(Preset::Starter).await?;
//! let before = vercel.snapshot("prj_myapp");
//! // … point a client at `vercel.url()` with the token `vercel::TOKEN` …
//! assert_eq!(vercel.snapshot("prj_myapp"), before);
//! # Ok(()) }
//! ```

mod clock;
pub mod fault;
pub mod fly;
pub mod github;
mod listener;
mod log;
pub mod netlify;
pub mod railway;
mod server;
pub mod vercel;

pub use fault::{Action, Fault};
pub use log::RequestRecord;
