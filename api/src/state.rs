//! What every handler can reach.

use std::sync::Arc;

use keyway_shared::ambient::Ambient;
use keyway_shared::github::Roles;
use keyway_shared::lifecycle::Lifecycle;
use keyway_shared::providers::registry::Registry;
use keyway_shared::queue::Queue;
use keyway_shared::store::Store;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::options::ApiOptions;

/// The parts that the API is put together from. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Storage.
    pub store: Store,
    /// The bell and the completion signal.
    pub queue: Queue,
    /// Asks GitHub for roles, in GitHub mode.
    pub roles: Option<Arc<Roles>>,
    /// The providers that can be connected.
    pub providers: Arc<Registry>,
    /// Settings.
    pub options: Arc<ApiOptions>,
    /// Clock and randomness.
    pub ambient: Ambient,
    /// Renders what `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// Signals of a shutdown, and the tasks that it waits for.
    pub lifecycle: Lifecycle,
}

impl std::fmt::Debug for ApiState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiState")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
