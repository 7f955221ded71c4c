//! What is asked of single partitions of a running link.

use super::Handle;
use crate::host::{NotResumed, Resume};
use crate::refusal::{Kind, Refusal};
use crate::view::PartitionView;

impl Handle {
    /// Its partitions, or those of one source topic.
    ///
    /// # Errors
    /// There is none of this name, or it does not run.
    pub async fn partitions(
        &self,
        name: String,
        topic: Option<String>,
    ) -> Result<Vec<PartitionView>, Refusal> {
        self.ask(move |core| core.partitions(&name, topic.as_deref()))
            .await?
    }

    /// Lets one partition go on that stands; nothing else is touched.
    ///
    /// # Errors
    /// It does not stand, or not so as is believed.
    pub async fn resume_partition(&self, name: String, resume: Resume) -> Result<(), Refusal> {
        let begun = self
            .ask(move |core| core.resume_partition(&name, resume))
            .await??;
        begun.await.map_err(|not| match not {
            NotResumed::Unknown(text) => Refusal::new(Kind::NotFound, text),
            NotResumed::Conflict(text) => Refusal::new(Kind::Conflict, text),
            NotResumed::Invalid(text) => Refusal::bad(text),
        })
    }
}
