//! A write that was on its way when its worker was stopped, and that arrives when everybody has
//! forgotten it. No lease prevents that; it has to be found and repaired.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::Reply;
use crate::deployment::{Deployment, Form};
use crate::dice::eventually;
use crate::simulator::Place;

const SYNC: &str = "/v1/integrations/vaults/acme/late/sync";
const LIMIT: Duration = Duration::from_mins(1);

struct Story {
    deployment: Deployment,
    connection: String,
    project: String,
}

impl Story {
    async fn begin() -> Self {
        let mut deployment = Deployment::start(Form::Production).await;
        deployment.workers[0].start().await;
        let (project, _) = deployment.simulator.project("late", &[]).await;
        let vault = json!({ "repoFullName": "acme/late" });
        deployment.caller.insist("/v1/vaults", &vault).await;
        let connection = deployment.connect().await;
        Self {
            deployment,
            connection,
            project,
        }
    }

    async fn set(&self, value: &str) {
        let secrets = json!({ "TOKEN": value, "OTHER": "the same" });
        let body = json!({ "repoFullName": "acme/late", "environment": "production",
            "secrets": secrets });
        self.deployment
            .caller
            .insist("/v1/secrets/push", &body)
            .await;
    }

    async fn sync(&self, preference: &str) -> Value {
        // Sensitive: what is there cannot be read, only the marks tell whether it is ours.
        let body = json!({ "connectionId": self.connection, "projectId": self.project,
            "variableType": "sensitive" });
        let caller = &self.deployment.caller;
        match caller.post(SYNC, &body, Some(preference)).await {
            Reply::Answer(200 | 202, report) => report,
            _ => panic!("the sync was refused"),
        }
    }

    /// What deployments get.
    async fn value(&self) -> Option<String> {
        let place = Place {
            project: self.project.clone(),
            scope: "production".to_owned(),
            branch: None,
            key: "TOKEN".to_owned(),
        };
        let mut snapshot = self.deployment.simulator.snapshot().await;
        Some(snapshot.remove(&place)?.0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_arrives_late_is_found_and_repaired() {
    let mut story = Story::begin().await;
    story.set("first").await;
    let report = story.sync("wait=60").await;
    assert_eq!(report["status"], "success", "{report}");

    // The worker has sent its write, and is stopped before anybody has it.
    story.set("second").await;
    story.deployment.to_provider.hold_a_write();
    let accepted = story.sync("respond-async").await;
    let proxy = &story.deployment.to_provider;
    assert!(eventually(LIMIT, || async { proxy.held() == 1 }).await);
    story.deployment.workers[0].stop();

    // Another one takes the job over, and then does the next one too.
    story.deployment.workers[1].start().await;
    let job = accepted["jobId"].as_str().unwrap();
    let document = story.deployment.caller.ended(job).await.unwrap();
    assert_eq!(document["state"], "succeeded", "{document}");
    assert_eq!(document["attempts"][0]["outcome"], "lost", "{document}");
    story.set("third").await;
    let report = story.sync("wait=60").await;
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(story.value().await.as_deref(), Some("third"));
    let deployment = &story.deployment;
    assert!(deployment.database.fingerprints().await.unwrap() > 0);

    // Now it arrives, and the third value is gone though its sync was a success.
    story.deployment.to_provider.release();
    let arrived = eventually(LIMIT, || async {
        story.value().await.as_deref() == Some("second")
    });
    assert!(arrived.await);

    // The worker wakes, finds its lease gone, and says that nothing there can be relied on.
    deployment.workers[0].go_on();
    let suspects = eventually(LIMIT, || async {
        deployment.database.fingerprints().await.unwrap() == 0
    });
    assert!(suspects.await, "nobody was told of the late write");
    let report = story.sync("wait=60").await;
    assert_eq!(report["status"], "success", "{report}");
    // Whatever was remembered is written once more, since it cannot be read.
    assert_eq!(report["updated"], 2, "{report}");
    assert_eq!(story.value().await.as_deref(), Some("third"));
    let wrong = deployment.ledger.all_wrong();
    assert!(wrong.is_empty(), "{wrong:?}");
}
