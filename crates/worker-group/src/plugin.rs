//! The connector classes that a link may name, under every name that clients use for them.

use serde::Serialize;

/// What a class stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Copies topics, with Replicator's keys.
    Replicator,
    /// Copies topics, with MirrorMaker 2's keys.
    MirrorSource,
    /// Translates offsets of consumer groups.
    MirrorCheckpoint,
    /// Writes heartbeats.
    MirrorHeartbeat,
    /// Copies topics, with our own keys.
    Own,
}

impl Role {
    /// Whether it copies records.
    #[must_use]
    pub fn copies(self) -> bool {
        match self {
            Self::Replicator | Self::MirrorSource | Self::Own => true,
            Self::MirrorCheckpoint | Self::MirrorHeartbeat => false,
        }
    }
}

/// A class of connectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plugin {
    /// Its full name.
    pub class: &'static str,
    /// What it stands for.
    pub role: Role,
}

/// All classes of connectors.
pub const PLUGINS: [Plugin; 5] = [
    Plugin {
        class: "io.confluent.connect.replicator.ReplicatorSourceConnector",
        role: Role::Replicator,
    },
    Plugin {
        class: "org.apache.kafka.connect.mirror.MirrorCheckpointConnector",
        role: Role::MirrorCheckpoint,
    },
    Plugin {
        class: "org.apache.kafka.connect.mirror.MirrorHeartbeatConnector",
        role: Role::MirrorHeartbeat,
    },
    Plugin {
        class: "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        role: Role::MirrorSource,
    },
    Plugin {
        class: "tributary.TributarySourceConnector",
        role: Role::Own,
    },
];

/// Converters that may be named, because they pass bytes through.
const CONVERTERS: [&str; 2] = [
    "io.confluent.connect.replicator.util.ByteArrayConverter",
    "org.apache.kafka.connect.converters.ByteArrayConverter",
];

/// A line of the list of plugins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PluginInfo {
    /// The class.
    pub class: &'static str,
    /// `source`, `converter` or `header_converter`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The version of this program.
    pub version: &'static str,
}

const SUFFIX: &str = "Connector";

impl Plugin {
    /// The class without its package.
    #[must_use]
    pub fn simple(&self) -> &'static str {
        self.class
            .rsplit_once('.')
            .map_or(self.class, |(_, simple)| simple)
    }

    /// Whether a client may mean it by this name: the class, the class without its package, or that without `Connector`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let simple = self.simple();
        name == self.class || name == simple || simple.strip_suffix(SUFFIX) == Some(name)
    }
}

/// The class of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Plugin> {
    static ALL: [Plugin; 5] = PLUGINS;
    ALL.iter().find(|plugin| plugin.is_called(name))
}

/// The type that Connect shows of a connector with this configuration.
#[must_use]
pub(crate) fn kind(config: &crate::Config) -> &'static str {
    let class = config.get("connector.class").map_or("", String::as_str);
    match find(class.trim()) {
        Some(_) => "source",
        None => "unknown",
    }
}

/// Whether a name is that of a plugin that is no connector.
#[must_use]
pub fn is_converter(name: &str) -> bool {
    CONVERTERS.contains(&name) || ["ByteArrayConverter", "ByteArray"].contains(&name)
}

/// Whether the class that a request is about is the one its configuration names, as Connect compares them.
#[must_use]
pub fn is_same(requested: &str, included: &str) -> bool {
    let short = |name: &str| name.strip_suffix(SUFFIX).unwrap_or(name).to_owned();
    short(included).ends_with(&short(requested))
}

/// The list of plugins.
#[must_use]
pub fn list(connectors_only: bool, version: &'static str) -> Vec<PluginInfo> {
    let info = |class, kind| PluginInfo {
        class,
        kind,
        version,
    };
    let mut all: Vec<_> = PLUGINS
        .iter()
        .map(|plugin| info(plugin.class, "source"))
        .collect();
    if !connectors_only {
        all.extend(CONVERTERS.map(|class| info(class, "converter")));
        all.extend(CONVERTERS.map(|class| info(class, "header_converter")));
    }
    all
}

/// What is said of a class that is none of these; clients know the beginning.
#[must_use]
pub fn unknown_class(name: &str, version: &str) -> String {
    let available: Vec<String> = PLUGINS
        .iter()
        .map(|plugin| {
            format!(
                "PluginDesc{{klass=class {class}, name='{class}', version='{version}', encodedVersion={version}, \
                 type=source, typeName='source', location='classpath'}}",
                class = plugin.class,
            )
        })
        .collect();
    format!(
        "Failed to find any class that implements Connector and which name matches {name}, available connectors are: {}",
        available.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_by_its_name_its_simple_name_and_its_alias() {
        for name in [
            "org.apache.kafka.connect.mirror.MirrorSourceConnector",
            "MirrorSourceConnector",
            "MirrorSource",
        ] {
            assert_eq!(
                find(name).map(|plugin| plugin.role),
                Some(Role::MirrorSource)
            );
        }
        for name in [
            "",
            "Connector",
            "org.apache.kafka.connect.mirror.MirrorSource",
            "x",
        ] {
            assert_eq!(find(name), None);
        }
    }

    #[test]
    fn the_class_of_a_request_and_of_its_configuration_may_be_written_differently() {
        let class = "org.apache.kafka.connect.mirror.MirrorSourceConnector";
        let names = [class, "MirrorSourceConnector", "MirrorSource"];
        for requested in names {
            for included in names {
                // The request may not name it more fully than the configuration.
                let expected = requested != class || included == class;
                assert_eq!(
                    is_same(requested, included),
                    expected,
                    "{requested} {included}"
                );
            }
        }
        assert!(!is_same("MirrorHeartbeatConnector", class));
    }
}
