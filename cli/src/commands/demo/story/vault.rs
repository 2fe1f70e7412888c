//! The vault's side.

use serde_json::{Map, Value, json};

use super::{ENVIRONMENT, REPO, Story};
use crate::commands::demo::screen::Screen;
use crate::failure::Outcome;

impl Story<'_> {
    pub(super) async fn fill_vault(&self, screen: &mut Screen, source: &str) -> Outcome {
        screen.step(&format!(
            "Vault {REPO}, environment {ENVIRONMENT}, from {source}"
        ))?;
        let _: Value = self
            .client
            .post("/v1/vaults", &json!({ "repoFullName": REPO }))
            .await?;
        self.push_to_vault().await?;
        let mut rows = vec![vec![
            "NAME".to_owned(),
            "VALUE".to_owned(),
            "BYTES".to_owned(),
        ]];
        rows.extend(self.secrets.iter().map(|(key, value)| {
            let masked = if value.is_empty() {
                "(empty)"
            } else {
                "********"
            };
            vec![key.clone(), masked.to_owned(), value.len().to_string()]
        }));
        screen.table(&rows)?;
        screen.good(&format!("{} secrets stored, encrypted", self.secrets.len()))?;
        Ok(())
    }

    pub(super) async fn push_to_vault(&self) -> Outcome {
        let secrets: Map<String, Value> = self
            .secrets
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.expose())))
            .collect();
        let body = json!({ "repoFullName": REPO, "environment": ENVIRONMENT, "secrets": secrets });
        let _: Value = self.client.post("/v1/secrets/push", &body).await?;
        Ok(())
    }
}
