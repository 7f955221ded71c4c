//! Configurations are judged where the request arrived, before the engine is asked: beside what copies, because one may be
//! as large as a body and name files, and a few at a time.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::{Handle, LIMIT};
use crate::plugin::{self, Plugin};
use crate::refusal::{Kind, Refusal};
use crate::validate::{self, ConfigInfos, ConfigKeyInfo};
use crate::{Config, GivenConfig};

/// Configurations that are judged at the same time.
const AT_ONCE: usize = 2;

/// Room for them.
pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

impl Handle {
    fn plugin_of(&self, config: &GivenConfig) -> Result<&'static Plugin, Refusal> {
        let Some(class) = config.get("connector.class").and_then(Option::as_deref) else {
            return Err(Refusal::bad(format!(
                "Connector config {} contains no connector type",
                validate::java_map(config)
            )));
        };
        plugin::find(class.trim())
            .ok_or_else(|| Refusal::bad(plugin::unknown_class(class, self.version)))
    }

    /// Everything about a configuration, for the class that a request names.
    ///
    /// # Errors
    /// The configuration names no known class, or another one.
    pub async fn validate(
        &self,
        requested: &str,
        config: GivenConfig,
    ) -> Result<ConfigInfos, Refusal> {
        let plugin = self.requested_plugin(requested, &config)?;
        Ok(self.judge(plugin, config).await?.1)
    }

    /// Everything about a configuration. It may be as large as a body, and read files: that is done beside what copies, and a
    /// few at a time.
    async fn judge(
        &self,
        plugin: &'static Plugin,
        config: GivenConfig,
    ) -> Result<(GivenConfig, ConfigInfos), Refusal> {
        let (worker, variables) = (Arc::clone(&self.worker), self.variables.clone());
        let room = Arc::clone(&self.judging);
        let judged = async {
            let permit = room.acquire_owned().await;
            let judging = spawn_blocking(move || {
                // Held until it is over, also where nobody waits any more.
                let _permit = permit;
                let infos = validate::validate(plugin, &config, &worker, variables.as_ref());
                (config, infos)
            });
            judging
                .await
                .map_err(|error| Refusal::internal(error.to_string()))
        };
        match timeout(LIMIT, judged).await {
            Ok(judged) => judged,
            Err(_) => Err(self.timed_out()),
        }
    }

    fn requested_plugin(
        &self,
        requested: &str,
        config: &GivenConfig,
    ) -> Result<&'static Plugin, Refusal> {
        if let Some(Some(included)) = config.get("connector.class")
            && !plugin::is_same(requested, included.trim())
        {
            return Err(Refusal::bad(format!(
                "Included connector type {included} does not match request type {requested}"
            )));
        }
        self.plugin_of(config)
    }

    /// The keys of a plugin.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn plugin_config(&self, name: &str) -> Result<Vec<ConfigKeyInfo>, Refusal> {
        match plugin::find(name) {
            Some(plugin) => Ok(validate::definitions(plugin)),
            None if plugin::is_converter(name) => Ok(Vec::new()),
            None => Err(Refusal::new(
                Kind::NotFound,
                format!("Unknown plugin {name}."),
            )),
        }
    }

    /// The configuration of a connector, with its name in it, if it can be used.
    pub(super) async fn checked(
        &self,
        name: &str,
        mut config: GivenConfig,
    ) -> Result<Config, Refusal> {
        match config.get("name") {
            None => {
                config.insert("name".to_owned(), Some(name.to_owned()));
            }
            Some(given) if given.as_deref() == Some(name) => {}
            Some(given) => {
                let given = given.as_deref().unwrap_or("null");
                return Err(Refusal::bad(format!(
                    "Connector name configuration ({given}) doesn't match connector name in the URL ({name})"
                )));
            }
        }
        let plugin = self.plugin_of(&config)?;
        let (config, infos) = self.judge(plugin, config).await?;
        if infos.error_count > 0 {
            return Err(Refusal::invalid_config(&infos.errors()));
        }
        let present = config.into_iter();
        Ok(present
            .filter_map(|(key, value)| Some((key, value?)))
            .collect())
    }
}
