//! Whose name AWS_MSK_IAM signs with.

use std::path::PathBuf;

use crate::jaas::JaasEntry;
use crate::security::{AwsCredentials, AwsKeys};

use super::Builder;

impl Builder<'_> {
    pub(super) fn aws(&mut self, jaas: Option<&JaasEntry>) -> Option<AwsCredentials> {
        let option = |name: &str| {
            jaas.and_then(|entry| entry.option(name))
                .map(|value| value.expose().clone())
        };
        if jaas.is_some_and(|entry| entry.options.iter().any(|(name, _)| is_of_role(name))) {
            self.refuse(
                "sasl.jaas.config",
                "roles cannot be assumed yet",
                "leave awsRole… out, and give credentials that have the rights themselves",
            );
            return None;
        }
        let region = self
            .environment("AWS_REGION")
            .or_else(|| self.environment("AWS_DEFAULT_REGION"));
        let named = option("awsProfileName");
        let id = self.environment("AWS_ACCESS_KEY_ID");
        let secret = self.environment("AWS_SECRET_ACCESS_KEY");
        if named.is_none()
            && let (Some(access_key_id), Some(secret)) = (id, secret)
        {
            return Some(AwsCredentials::Keys(AwsKeys {
                access_key_id,
                secret_access_key: secret.into(),
                session_token: self.environment("AWS_SESSION_TOKEN").map(Into::into),
                region,
            }));
        }
        let file = self
            .environment("AWS_SHARED_CREDENTIALS_FILE")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(self.environment("HOME")?).join(".aws/credentials")));
        let Some(file) = file else {
            self.missing(
                "sasl.jaas.config",
                "AWS_MSK_IAM finds no credentials",
                "set the environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE",
            );
            return None;
        };
        let profile = named
            .or_else(|| self.environment("AWS_PROFILE"))
            .unwrap_or_else(|| "default".to_owned());
        Some(AwsCredentials::Profile {
            file,
            profile,
            region,
        })
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.variables?
            .environment(name)
            .filter(|value| !value.is_empty())
    }
}

fn is_of_role(option: &str) -> bool {
    option.starts_with("awsRole") || option == "awsStsRegion"
}
