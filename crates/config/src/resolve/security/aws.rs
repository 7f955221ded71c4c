//! Whose name AWS_MSK_IAM signs with: the standard chain of AWS's own clients, and the options of the login module.
//!
//! Order: keys of the environment, web identity, container, profile, machine. `awsProfileName` asks for a profile,
//! `awsRoleArn` for a role that what was found opens.

use std::path::PathBuf;

use crate::jaas::JaasEntry;
use crate::security::{
    AwsCredentials, AwsKeys, AwsProfile, AwsRole, AwsServices, ContainerToken, Endpoint,
};

use super::Builder;
use super::oauth::{is_of_this_machine, parse_endpoint};

const JAAS: &str = "sasl.jaas.config";
/// How sessions of roles are named in AWS's logs.
const SESSION: &str = "tributary";

impl Builder<'_> {
    pub(super) fn aws(&mut self, jaas: Option<&JaasEntry>) -> Option<AwsCredentials> {
        let option = |name: &str| {
            jaas.and_then(|entry| entry.option(name))
                .map(|value| value.expose().clone())
                .filter(|value| !value.is_empty())
        };
        let services = self.aws_services()?;
        let source = self.aws_source(option("awsProfileName"), &services)?;
        let (arn, token_region) = (option("awsRoleArn"), option("awsStsRegion"));
        let Some(arn) = arn else {
            if ["awsRoleSessionName", "awsRoleExternalId"]
                .iter()
                .any(|name| option(name).is_some())
            {
                self.refuse(
                    JAAS,
                    "the options awsRoleSessionName and awsRoleExternalId say something about a role, and awsRoleArn \
                     is missing",
                    "add awsRoleArn=\"arn:aws:iam::…\"",
                );
                return None;
            }
            return Some(source);
        };
        let (token_service, token_region) = services.token_service(token_region.as_deref());
        Some(AwsCredentials::Role {
            source: Box::new(source),
            role: Box::new(AwsRole {
                arn,
                session_name: option("awsRoleSessionName").unwrap_or_else(|| SESSION.to_owned()),
                external_id: option("awsRoleExternalId"),
                token_service,
                token_region,
                region: services.region,
            }),
        })
    }

    pub(super) fn aws_services(&mut self) -> Option<AwsServices> {
        let region = self
            .environment("AWS_REGION")
            .or_else(|| self.environment("AWS_DEFAULT_REGION"));
        let sts = self.aws_endpoint(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"])?;
        let metadata = self.aws_endpoint(&["AWS_EC2_METADATA_SERVICE_ENDPOINT"])?;
        let keys = (
            self.environment("AWS_ACCESS_KEY_ID"),
            self.environment("AWS_SECRET_ACCESS_KEY"),
        );
        let environment = match keys {
            (Some(access_key_id), Some(secret)) => Some(AwsKeys {
                access_key_id,
                secret_access_key: secret.into(),
                session_token: self.environment("AWS_SESSION_TOKEN").map(Into::into),
                region: region.clone(),
            }),
            _ => None,
        };
        Some(AwsServices {
            region,
            sts,
            metadata: metadata.unwrap_or_else(|| link_local("169.254.169.254", "/")),
            environment,
        })
    }

    /// The first of these variables that is set; outside: whether they are in order.
    #[expect(
        clippy::option_option,
        reason = "outside: whether there is a problem; inside: whether it is set"
    )]
    fn aws_endpoint(&mut self, names: &[&str]) -> Option<Option<Endpoint>> {
        for name in names {
            let Some(url) = self.environment(name) else {
                continue;
            };
            let endpoint = parse_endpoint(&url);
            if endpoint.is_none() {
                self.missing(
                    JAAS,
                    format!("the environment's {name} is no address"),
                    "write https://host/path there",
                );
                return None;
            }
            return Some(endpoint);
        }
        Some(None)
    }

    pub(super) fn aws_source(
        &mut self,
        profile: Option<String>,
        services: &AwsServices,
    ) -> Option<AwsCredentials> {
        if profile.is_none() {
            if let Some(keys) = &services.environment {
                return Some(AwsCredentials::Keys(keys.clone()));
            }
            if let Some(found) = self
                .web_identity(services)
                .or_else(|| self.container(services))
            {
                return Some(found);
            }
        }
        let chosen = profile.or_else(|| self.environment("AWS_PROFILE"));
        let home = |name: &str| {
            let home = self.environment("HOME")?;
            Some(PathBuf::from(home).join(".aws").join(name))
        };
        let file = self
            .environment("AWS_SHARED_CREDENTIALS_FILE")
            .map(PathBuf::from)
            .or_else(|| home("credentials"));
        let config_file = self
            .environment("AWS_CONFIG_FILE")
            .map(PathBuf::from)
            .or_else(|| home("config"));
        let (Some(file), config_file) = (file, config_file) else {
            self.missing(
                JAAS,
                "no credentials of AWS are found",
                "set the environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE",
            );
            return None;
        };
        Some(AwsCredentials::Profile(Box::new(AwsProfile {
            config_file: config_file.unwrap_or_else(|| file.with_file_name("config")),
            file,
            chosen: chosen.is_some(),
            name: chosen.unwrap_or_else(|| "default".to_owned()),
            services: services.clone(),
        })))
    }

    fn web_identity(&self, services: &AwsServices) -> Option<AwsCredentials> {
        let token_file = self.environment("AWS_WEB_IDENTITY_TOKEN_FILE")?.into();
        let arn = self.environment("AWS_ROLE_ARN")?;
        let session = self.environment("AWS_ROLE_SESSION_NAME");
        let (token_service, token_region) = services.token_service(None);
        Some(AwsCredentials::WebIdentity {
            role: Box::new(AwsRole {
                arn,
                session_name: session.unwrap_or_else(|| SESSION.to_owned()),
                external_id: None,
                token_service,
                token_region,
                region: services.region.clone(),
            }),
            token_file,
        })
    }

    fn container(&mut self, services: &AwsServices) -> Option<AwsCredentials> {
        let relative = self.environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        let endpoint = match relative {
            Some(path) => link_local("169.254.170.2", &path),
            None => parse_endpoint(&self.environment("AWS_CONTAINER_CREDENTIALS_FULL_URI")?)?,
        };
        // As AWS's own clients: the token that opens the credentials, and these themselves, would be readable on the way.
        let of_agents = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
        let host = endpoint.host.as_str();
        if !endpoint.tls && !is_of_this_machine(host) && !of_agents.contains(&host) {
            self.missing(
                JAAS,
                "the environment's AWS_CONTAINER_CREDENTIALS_FULL_URI is http, and leads away from this machine",
                "write https://host/path there",
            );
            return None;
        }
        let file = self.environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        let token = match file {
            Some(path) => Some(ContainerToken::File(path.into())),
            None => self
                .environment("AWS_CONTAINER_AUTHORIZATION_TOKEN")
                .map(|token| ContainerToken::Value(token.into())),
        };
        Some(AwsCredentials::Container {
            endpoint,
            token,
            region: services.region.clone(),
        })
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.variables?
            .environment(name)
            .filter(|value| !value.is_empty())
    }
}

fn link_local(host: &str, path: &str) -> Endpoint {
    Endpoint {
        tls: false,
        host: host.to_owned(),
        port: 80,
        path: path.to_owned(),
    }
}
