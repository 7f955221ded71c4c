//! Who we are at AWS, and what follows from it.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;
use crate::security::Endpoint;

/// Where AWS credentials come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AwsCredentials {
    /// From the environment.
    Keys(AwsKeys),
    /// From a profile of AWS's shared files.
    Profile(Box<AwsProfile>),
    /// A role that a token of somebody else's identity provider opens, as in Kubernetes.
    WebIdentity {
        /// The role.
        role: Box<AwsRole>,
        /// The file with the token; read anew for every exchange.
        token_file: PathBuf,
    },
    /// A role that other credentials open.
    Role {
        /// These.
        source: Box<AwsCredentials>,
        /// The role.
        role: Box<AwsRole>,
    },
    /// From the container's agent (ECS, EKS Pod Identity).
    Container {
        /// Where it is.
        endpoint: Endpoint,
        /// What it wants to see.
        token: Option<ContainerToken>,
        /// The brokers' region.
        region: Option<String>,
    },
    /// The role of the machine (EC2), from its metadata service, version 2.
    Instance {
        /// Where that is.
        endpoint: Endpoint,
        /// The brokers' region.
        region: Option<String>,
    },
}

/// What a container's agent wants to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ContainerToken {
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    Value(Secret<String>),
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`.
    File(PathBuf),
}

/// A profile of AWS's shared files; either of them may be missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsProfile {
    /// `~/.aws/credentials`.
    pub file: PathBuf,
    /// `~/.aws/config`.
    pub config_file: PathBuf,
    /// The profile.
    pub name: String,
    /// Somebody has asked for this profile: it has to be there. Otherwise the machine's role is the last resort.
    pub chosen: bool,
    /// Where AWS's services are.
    pub services: AwsServices,
}

/// Where AWS's services are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsServices {
    /// What the environment says about the region.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL`.
    pub sts: Option<Endpoint>,
    /// `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    pub metadata: Endpoint,
    /// Credentials of the environment, for profiles that refer to them.
    pub environment: Option<AwsKeys>,
}

impl AwsServices {
    /// The security token service that gives out roles, and the region that requests to it are signed for.
    #[must_use]
    pub fn token_service(&self, region: Option<&str>) -> (Endpoint, String) {
        let region = region.or(self.region.as_deref());
        let host = match region {
            Some(region) if region.starts_with("cn-") => format!("sts.{region}.amazonaws.com.cn"),
            Some(region) => format!("sts.{region}.amazonaws.com"),
            None => "sts.amazonaws.com".to_owned(),
        };
        let own = self.sts.clone();
        let endpoint = own.unwrap_or(Endpoint {
            tls: true,
            host,
            port: 443,
            path: "/".to_owned(),
        });
        (endpoint, region.unwrap_or("us-east-1").to_owned())
    }
}

/// A role to be assumed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsRole {
    /// Its resource name.
    pub arn: String,
    /// How the session is named in AWS's logs.
    pub session_name: String,
    /// What the role's owner wants to be told.
    pub external_id: Option<String>,
    /// The security token service.
    pub token_service: Endpoint,
    /// The region that requests to it are signed for.
    pub token_region: String,
    /// The brokers' region.
    pub region: Option<String>,
}

/// AWS credentials.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret<String>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret<String>>,
    /// The region; `None` takes it from the broker's name.
    pub region: Option<String>,
}

/// A token of AWS for somebody else than AWS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsToken {
    /// Who we are.
    pub credentials: AwsCredentials,
    /// Whom it is for.
    pub audience: String,
    /// Its life.
    pub duration: Duration,
    /// How it is signed, in AWS's words.
    pub algorithm: String,
    /// Further claims.
    pub tags: Vec<(String, String)>,
    /// The security token service.
    pub token_service: Endpoint,
    /// The region that requests to it are signed for.
    pub token_region: String,
}
