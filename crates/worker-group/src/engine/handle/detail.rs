//! Questions about links in detail. They go to the host of the links and not through the engine, so that they are the
//! same for a worker alone and for one of a group; only resuming a partition is the engine's.

use config::report::{FileKind, Report, report};
use serde_json::Value;

use super::Handle;
use crate::detail::{LinkDetail, PreviewOptions};
use crate::host::{NotResumed, Resume};
use crate::refusal::{Kind, Refusal};
use crate::{Config, GivenConfig, plugin, validate};

impl Handle {
    /// What is known of a link that runs on this worker; nothing of any other.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<LinkDetail> {
        self.host.detail(name)
    }

    /// What a link of this configuration would do, topic by topic; nothing is changed.
    ///
    /// # Errors
    /// The configuration cannot be used, or a cluster does not answer.
    pub async fn preview(
        &self,
        name: String,
        config: GivenConfig,
        options: PreviewOptions,
    ) -> Result<Value, Refusal> {
        let config = self.checked(&name, config).await?;
        let previewed = self.host.preview(name, config, options).await;
        previewed.map_err(|problem| Refusal::new(Kind::Unavailable, problem))
    }

    /// Whether a link of this configuration could run on this worker: every connection, every right; nothing is changed.
    ///
    /// # Errors
    /// The configuration cannot be used.
    pub async fn preflight(&self, name: String, config: GivenConfig) -> Result<Value, Refusal> {
        let config = self.checked(&name, config).await?;
        let found = self.host.preflight(name, config).await;
        found.map_err(|problem| Refusal::new(Kind::Unavailable, problem))
    }

    /// Each key of a configuration, with what becomes of it.
    #[must_use]
    pub fn effective(&self, name: &str, config: &Config) -> Report {
        let raw = validate::raw(name, config, self.variables.as_ref());
        report(&raw, FileKind::Link, Some(&self.worker), true)
    }

    /// Where links write that name no destination of their own.
    #[must_use]
    pub fn default_destination(&self) -> Option<String> {
        let config = self.worker.bootstrap.as_ref()?;
        let servers = config.bootstrap_servers.iter().map(ToString::to_string);
        Some(servers.collect::<Vec<_>>().join(","))
    }

    /// The group that this worker belongs to.
    #[must_use]
    pub fn group_id(&self) -> Option<&str> {
        self.worker.group_id.as_deref()
    }

    /// Memory for records on their way, in bytes, all links together.
    #[must_use]
    pub fn buffer_limit(&self) -> usize {
        self.worker.buffer_memory
    }

    /// For how long a reading of the end of a log says something.
    #[must_use]
    pub fn evidence_limit(&self) -> std::time::Duration {
        self.worker.health_max_age
    }

    /// Lets one partition go on that stands; nothing else is touched.
    ///
    /// # Errors
    /// It does not stand, or not so as is believed; or another worker has it.
    pub async fn resume_partition(&self, name: String, resume: Resume) -> Result<(), Refusal> {
        let resumed = match &self.group {
            Some(group) => group.resume_partition(name, resume).await?,
            None => {
                let begun = self.ask(move |core| core.resume_partition(&name, resume));
                begun.await??.await
            }
        };
        resumed.map_err(|not| match not {
            NotResumed::Unknown(text) => Refusal::new(Kind::NotFound, text),
            NotResumed::Conflict(text) => Refusal::new(Kind::Conflict, text),
            NotResumed::Invalid(text) => Refusal::bad(text),
        })
    }

    /// Has a running link look at its topics now.
    ///
    /// # Errors
    /// There is none of this name, it does not run, or another worker looks after its topics.
    pub async fn refresh(&self, name: String) -> Result<(), Refusal> {
        self.config(name.clone()).await?;
        if let Some(group) = &self.group {
            group.has_connector(name.clone()).await?;
        }
        if self.host.refresh(&name) {
            return Ok(());
        }
        let text = format!("link {name} does not run here, so its topics are not looked at");
        Err(Refusal::new(Kind::Conflict, text))
    }

    /// Has the part of a link that looks after its topics know that one of them, which was made anew on one side, is copied all
    /// the same: whoever has its partitions was told so.
    ///
    /// # Errors
    /// There is no such link or topic, that part does not run, or another worker runs it.
    pub async fn answered(&self, name: String, topic: &str) -> Result<(), Refusal> {
        self.config(name.clone()).await?;
        if let Some(group) = &self.group {
            group.has_connector(name.clone()).await?;
        }
        self.has_topic(&name, topic)?;
        if self.host.answered(&name, topic) {
            return Ok(());
        }
        let text = format!("nobody looks after the topics of link {name} here yet");
        Err(Refusal::new(Kind::Conflict, text))
    }

    /// Whether what runs of a link here has a topic.
    fn has_topic(&self, name: &str, topic: &str) -> Result<(), Refusal> {
        let detail = self.detail(name);
        let Some(detail) = detail.filter(|one| !one.topics.contains_key(topic)) else {
            return Ok(());
        };
        let text = format!(
            "link {name} has no topic {topic}; it has {}",
            detail.topics.len()
        );
        Err(Refusal::new(Kind::NotFound, text))
    }

    /// Has a running link compare settings of a topic of its own now; that is done for all of them together.
    ///
    /// # Errors
    /// There is no such link or topic, it does not run, its settings are not followed, or another worker looks after them.
    pub async fn compare_settings(&self, name: String, topic: &str) -> Result<(), Refusal> {
        let config = self.config(name.clone()).await?;
        if let Some(group) = &self.group {
            group.has_connector(name.clone()).await?;
        }
        self.has_topic(&name, topic)?;
        for key in ["topic.config.sync", "sync.topic.configs.enabled"] {
            let given = config.get(key).map(|value| value.trim());
            if given.is_some_and(|value| value.eq_ignore_ascii_case("false")) {
                let text = format!("settings of topics are not followed: {key} is false");
                return Err(Refusal::new(Kind::Conflict, text));
            }
        }
        if self.host.compare_settings(&name) {
            return Ok(());
        }
        let text =
            format!("link {name} does not run here, so settings of its topics are not compared");
        Err(Refusal::new(Kind::Conflict, text))
    }
}

/// Whether a connector copies records: others are companions of links.
#[must_use]
pub fn is_link(config: &Config) -> bool {
    let class = config.get("connector.class").map_or("", String::as_str);
    plugin::find(class.trim()).is_some_and(|plugin| plugin.role.copies())
}
