//! Archives of a broker's classes, Java's class data sharing: with one, a broker or a tool starts in half the time.
//!
//! One per version, made by a broker that is started for it and stopped again, and kept beside the jars. Java takes an
//! archive only with the program and the class path it was made with, so both are in its name: a copied or moved
//! directory, or another Java, makes one of its own. Without an archive everything runs as well, only slower.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use crate::kafka_cluster::{ClusterError, KafkaCluster};
use crate::kafka_jars::KafkaJars;

/// What Java is told so that it takes the archive; nothing where there is none.
pub(crate) fn arguments(jars: &KafkaJars) -> Vec<String> {
    let archive = path(jars);
    if !archive.is_file() {
        return Vec::new();
    }
    vec![
        "-Xshare:auto".to_owned(),
        format!("-XX:SharedArchiveFile={}", archive.display()),
    ]
}

/// Makes the archive of a version whose brokers run, about five seconds once; whether there is one afterwards.
///
/// # Errors
/// When the broker does not start or end as it should.
pub async fn ensure(jars: &KafkaJars) -> Result<bool, ClusterError> {
    let archive = path(jars);
    if archive.is_file() {
        return Ok(true);
    }
    let fresh = archive.with_extension(format!("{}.fresh", std::process::id()));
    let cluster = KafkaCluster::builder()
        .name("class-archive")
        .version(jars.version())
        .jvm_option(&format!("-XX:ArchiveClassesAtExit={}", fresh.display()))
        .start()
        .await?;
    cluster.node(0).stop().await?;
    // A Java that makes none says so in the broker's log; it is only slower.
    Ok(std::fs::rename(&fresh, &archive).is_ok())
}

fn path(jars: &KafkaJars) -> PathBuf {
    let java = jars.java().canonicalize();
    let java = java.as_deref().unwrap_or(jars.java());
    let made = std::fs::metadata(java).and_then(|about| about.modified());
    let mut name = DefaultHasher::new();
    (java, made.ok(), jars.classpath()).hash(&mut name);
    jars.directory()
        .join(format!("classes-{:016x}.jsa", name.finish()))
}
