//! AWS: whose name brokers are shown, from the environment, profiles, roles and tokens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::resolve::resolve_link;
use config::security::{AwsCredentials, Mechanism, TokenSource};
use config::{Sources, Variables};

use crate::{link, no_cluster};

struct Environment(&'static [(&'static str, &'static str)]);
impl Sources for Environment {
    fn environment(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
    fn file(&self, _: &Path) -> Result<String, String> {
        Err("none".to_owned())
    }
}

fn aws(
    environment: &'static [(&'static str, &'static str)],
    options: &str,
) -> Result<AwsCredentials, String> {
    let mut raw = link(&format!(
        "src.kafka.security.protocol=SASL_SSL
         src.kafka.sasl.mechanism=AWS_MSK_IAM
         src.kafka.sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler
         src.kafka.sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required {options};"
    ));
    raw.set_variables(Variables::new(Arc::new(Environment(environment))));
    let (link, _) =
        resolve_link(&raw, &no_cluster()).map_err(|problems| format!("{problems:?}"))?;
    assert!(!format!("{link:?}").contains("hunter2"));
    match link
        .source
        .security
        .sasl()
        .map(|sasl| sasl.mechanism.clone())
    {
        Some(Mechanism::AwsMskIam(credentials)) => Ok(credentials),
        other => Err(format!("{other:?}")),
    }
}

const AWS_KEYS: &[(&str, &str)] = &[
    ("AWS_ACCESS_KEY_ID", "A"),
    ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ("AWS_REGION", "eu-west-1"),
    ("HOME", "/users/me"),
];

#[test]
fn aws_credentials_come_from_the_environment_or_a_profile() {
    assert!(matches!(
        aws(AWS_KEYS, ""),
        Ok(AwsCredentials::Keys(keys)) if keys.access_key_id == "A" && keys.region.as_deref() == Some("eu-west-1")
    ));
    assert!(matches!(
        aws(AWS_KEYS, "awsProfileName=\"team\""),
        Ok(AwsCredentials::Profile(profile))
            if profile.name == "team" && profile.file == Path::new("/users/me/.aws/credentials")
                && profile.config_file == Path::new("/users/me/.aws/config") && profile.chosen
    ));
    for (environment, options, expected) in [
        (&[][..], "", "no credentials of AWS are found"),
        (AWS_KEYS, "awsRoleExternalId=\"x\"", "awsRoleArn is missing"),
        (
            &[("AWS_ENDPOINT_URL_STS", "sts"), ("HOME", "/")][..],
            "",
            "AWS_ENDPOINT_URL_STS is no address",
        ),
        (
            &[
                (
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://keys.example/x",
                ),
                ("HOME", "/"),
            ][..],
            "",
            "leads away from this machine",
        ),
    ] {
        let problem = aws(environment, options).expect_err(options);
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn roles_of_aws_are_opened_by_other_credentials_by_tokens_and_by_containers() {
    let role = aws(
        AWS_KEYS,
        "awsRoleArn=\"arn:x\" awsRoleExternalId=\"e\" awsStsRegion=\"us-west-2\"",
    );
    assert!(matches!(
        role,
        Ok(AwsCredentials::Role { source, role }) if matches!(*source, AwsCredentials::Keys(_)) && role.arn == "arn:x"
            && role.session_name == "tributary" && role.external_id.as_deref() == Some("e")
            && role.token_service.host == "sts.us-west-2.amazonaws.com" && role.token_region == "us-west-2"
            && role.region.as_deref() == Some("eu-west-1")
    ));
    let pod = &[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
        ("AWS_ROLE_ARN", "arn:pod"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x"),
    ];
    assert!(matches!(
        aws(pod, ""),
        Ok(AwsCredentials::WebIdentity { role, token_file }) if role.arn == "arn:pod"
            && token_file == Path::new("/run/token") && role.token_service.host == "sts.amazonaws.com"
    ));
    let task = &[
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"),
        ("AWS_REGION", "r-1"),
    ];
    assert!(matches!(
        aws(task, ""),
        Ok(AwsCredentials::Container { endpoint, token: None, .. })
            if endpoint.host == "169.254.170.2" && endpoint.path == "/v2/x"
    ));
}

#[test]
fn tokens_of_aws_are_asked_for_in_a_region_in_the_name_of_its_usual_credentials() {
    let token = |environment: &'static [(&'static str, &'static str)], lines: &str| {
        let mut raw = link(&format!(
            "src.kafka.security.protocol=SASL_SSL
             src.kafka.sasl.mechanism=OAUTHBEARER
             src.kafka.sasl.oauthbearer.aws.iam.webidentitytoken.audience=https://brokers.example
             {lines}"
        ));
        raw.set_variables(Variables::new(Arc::new(Environment(environment))));
        let (link, _) =
            resolve_link(&raw, &no_cluster()).map_err(|problems| format!("{problems:?}"))?;
        match &link.source.security.sasl().expect("given").mechanism {
            Mechanism::OAuthBearer(oauth) => match &oauth.source {
                TokenSource::Aws(token) => Ok(token.as_ref().clone()),
                other => Err(format!("{other:?}")),
            },
            other => Err(format!("{other:?}")),
        }
    };
    let own = "src.kafka.sasl.oauthbearer.aws.iam.webidentitytoken";
    let found = token(
        AWS_KEYS,
        &format!(
            "{own}.region=us-west-2\n{own}.tags=team=links, stage=\n{own}.duration.seconds=600"
        ),
    )
    .expect("usable");
    assert_eq!(found.audience, "https://brokers.example");
    assert_eq!(found.token_service.host, "sts.us-west-2.amazonaws.com");
    assert_eq!(found.token_region, "us-west-2");
    assert_eq!(found.duration, Duration::from_secs(600));
    assert_eq!(found.algorithm, "ES384");
    let tags = [("team", "links"), ("stage", "")];
    assert_eq!(found.tags, tags.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert!(matches!(found.credentials, AwsCredentials::Keys(_)));
    let of_environment = token(AWS_KEYS, "").expect("usable");
    assert_eq!(of_environment.token_region, "eu-west-1");
    for (environment, lines, expected) in [
        (&[("HOME", "/")][..], String::new(), "only in a region"),
        (AWS_KEYS, format!("{own}.tags=team"), "no list of names"),
        (
            AWS_KEYS,
            format!("{own}.duration.seconds=59"),
            "duration.seconds",
        ),
        (
            AWS_KEYS,
            "src.kafka.sasl.oauthbearer.token.endpoint.url=https://idp/".to_owned(),
            "leave one of both out",
        ),
    ] {
        let problem = token(environment, &lines).expect_err(&lines);
        assert!(problem.contains(expected), "{problem}");
    }
}
