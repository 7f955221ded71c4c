//! Profiles of AWS's shared files: keys, or a role and what opens it.
//!
//! A profile stands as `[name]` in the file of credentials and as `[profile name]` in that of settings; the former wins.

use std::collections::BTreeMap;

use config::security::{AwsCredentials, AwsKeys, AwsProfile, AwsRole};

/// Profiles that lead to others: more in a row is a circle.
const DEEPEST: usize = 5;

type Settings<'a> = BTreeMap<&'a str, &'a str>;

/// What a profile stands for, given the texts of the two files.
pub(super) fn resolve(
    profile: &AwsProfile,
    credentials: &str,
    settings: &str,
) -> Result<AwsCredentials, String> {
    let files = Files {
        profile,
        credentials,
        settings,
    };
    if !profile.chosen && files.settings_of(&profile.name).is_none() {
        return Ok(AwsCredentials::Instance {
            endpoint: profile.services.metadata.clone(),
            region: profile.services.region.clone(),
        });
    }
    files.resolve(&profile.name, 0)
}

struct Files<'a> {
    profile: &'a AwsProfile,
    credentials: &'a str,
    settings: &'a str,
}

impl Files<'_> {
    fn settings_of(&self, name: &str) -> Option<Settings<'_>> {
        let in_settings = match name {
            "default" => vec!["default".to_owned(), "profile default".to_owned()],
            name => vec![format!("profile {name}")],
        };
        let mut found = None;
        for (text, sections) in [
            (self.settings, in_settings),
            (self.credentials, vec![name.to_owned()]),
        ] {
            for section in sections {
                if let Some(settings) = section_of(text, &section) {
                    found.get_or_insert_with(BTreeMap::new).extend(settings);
                }
            }
        }
        found
    }

    fn resolve(&self, name: &str, depth: usize) -> Result<AwsCredentials, String> {
        let AwsProfile {
            file,
            config_file,
            services,
            ..
        } = self.profile;
        let places = format!("{} and {}", file.display(), config_file.display());
        let settings = self
            .settings_of(name)
            .ok_or_else(|| format!("there is no profile {name} of AWS in {places}"))?;
        if depth == DEEPEST {
            return Err(format!(
                "the profile {name} of AWS leads to itself, in {places}"
            ));
        }
        let get = |key: &str| settings.get(key).map(|value| (*value).to_owned());
        let region = services.region.clone().or_else(|| get("region"));
        let Some(arn) = get("role_arn") else {
            return match (get("aws_access_key_id"), get("aws_secret_access_key")) {
                (Some(access_key_id), Some(secret_access_key)) => {
                    Ok(AwsCredentials::Keys(AwsKeys {
                        access_key_id,
                        secret_access_key: secret_access_key.into(),
                        session_token: get("aws_session_token").map(Into::into),
                        region,
                    }))
                }
                _ => Err(format!(
                    "the profile {name} of AWS has neither aws_access_key_id with aws_secret_access_key nor role_arn, in \
                     {places}"
                )),
            };
        };
        let (token_service, token_region) = services.token_service(region.as_deref());
        let role = Box::new(AwsRole {
            arn,
            session_name: get("role_session_name").unwrap_or_else(|| "tributary".to_owned()),
            external_id: get("external_id"),
            token_service,
            token_region,
            region,
        });
        if let Some(token_file) = get("web_identity_token_file") {
            return Ok(AwsCredentials::WebIdentity {
                role,
                token_file: token_file.into(),
            });
        }
        let source = match (get("source_profile"), get("credential_source").as_deref()) {
            // A profile may name itself: its keys open its role.
            (Some(source), _) if source == name => self.keys_of(name, &settings, &places)?,
            (Some(source), _) => self.resolve(&source, depth + 1)?,
            (None, Some("Environment")) => {
                let keys = services.environment.clone().ok_or_else(|| {
                    format!(
                        "the profile {name} of AWS takes its keys from the environment, which lacks AWS_ACCESS_KEY_ID and \
                         AWS_SECRET_ACCESS_KEY"
                    )
                })?;
                AwsCredentials::Keys(keys)
            }
            (None, Some("Ec2InstanceMetadata")) => AwsCredentials::Instance {
                endpoint: services.metadata.clone(),
                region: services.region.clone(),
            },
            _ => {
                return Err(format!(
                    "the profile {name} of AWS has a role_arn and does not say what opens it; add source_profile, \
                     web_identity_token_file, or credential_source (Environment or Ec2InstanceMetadata), in {places}"
                ));
            }
        };
        Ok(AwsCredentials::Role {
            source: Box::new(source),
            role,
        })
    }

    fn keys_of(
        &self,
        name: &str,
        settings: &Settings<'_>,
        places: &str,
    ) -> Result<AwsCredentials, String> {
        let get = |key: &str| settings.get(key).map(|value| (*value).to_owned());
        match (get("aws_access_key_id"), get("aws_secret_access_key")) {
            (Some(access_key_id), Some(secret_access_key)) => Ok(AwsCredentials::Keys(AwsKeys {
                access_key_id,
                secret_access_key: secret_access_key.into(),
                session_token: get("aws_session_token").map(Into::into),
                region: self.profile.services.region.clone(),
            })),
            _ => Err(format!(
                "the profile {name} of AWS has no keys, in {places}"
            )),
        }
    }
}

/// The entries of a section; `None` where there is no such section.
fn section_of<'a>(text: &'a str, name: &str) -> Option<Settings<'a>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            let words: Vec<&str> = section.split_whitespace().collect();
            inside = words.join(" ") == name;
            if inside {
                found.get_or_insert_with(BTreeMap::new);
            }
            continue;
        }
        if !inside || line.starts_with(['#', ';']) {
            continue;
        }
        if let (Some((key, value)), Some(found)) = (line.split_once('='), &mut found) {
            let value = value.trim();
            if !value.is_empty() {
                found.insert(key.trim(), value);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use config::security::{AwsServices, Endpoint};

    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = A\n\n[team]\n# note\naws_access_key_id=B\n\
                               aws_secret_access_key = s=1\naws_session_token=t\nregion=eu-west-1\n[other]\n";
    const SETTINGS: &str = "[profile over]\nrole_arn=arn:over\nsource_profile=team\nexternal_id=x\n\
                            region=eu-north-1\n[profile  pod]\nrole_arn=arn:pod\nweb_identity_token_file=/run/t\n\
                            [profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n\
                            [profile lost]\nrole_arn=r\n[profile machine]\nrole_arn=r\n\
                            credential_source=Ec2InstanceMetadata\n";

    fn named(name: &str, chosen: bool, region: Option<&str>) -> Result<AwsCredentials, String> {
        let profile = AwsProfile {
            file: "/aws/credentials".into(),
            config_file: "/aws/config".into(),
            name: name.to_owned(),
            chosen,
            services: AwsServices {
                region: region.map(str::to_owned),
                sts: None,
                metadata: Endpoint {
                    tls: false,
                    host: "169.254.169.254".to_owned(),
                    port: 80,
                    path: "/".to_owned(),
                },
                environment: None,
            },
        };
        resolve(&profile, CREDENTIALS, SETTINGS)
    }

    #[test]
    fn keys_are_read_from_the_shared_file() {
        for (given, expected) in [(None, "eu-west-1"), (Some("us-east-1"), "us-east-1")] {
            let Ok(AwsCredentials::Keys(team)) = named("team", true, given) else {
                panic!("keys")
            };
            assert_eq!(team.access_key_id, "B");
            assert_eq!(team.secret_access_key.expose(), "s=1");
            assert_eq!(
                team.session_token.map(|t| t.expose().clone()),
                Some("t".to_owned())
            );
            assert_eq!(team.region.as_deref(), Some(expected));
        }
    }

    #[test]
    fn roles_are_opened_by_other_profiles_by_tokens_and_by_the_machine() {
        let Ok(AwsCredentials::Role { source, role }) = named("over", true, None) else {
            panic!("a role")
        };
        assert!(matches!(*source, AwsCredentials::Keys(keys) if keys.access_key_id == "B"));
        assert_eq!(
            (role.arn.as_str(), role.external_id.as_deref()),
            ("arn:over", Some("x"))
        );
        assert_eq!(role.token_service.host, "sts.eu-north-1.amazonaws.com");
        assert!(matches!(
            named("pod", true, None),
            Ok(AwsCredentials::WebIdentity { role, .. }) if role.arn == "arn:pod"
        ));
        assert!(matches!(
            named("machine", true, None),
            Ok(AwsCredentials::Role { source, .. }) if matches!(*source, AwsCredentials::Instance { .. })
        ));
    }

    #[test]
    fn what_is_missing_is_named_with_its_place() {
        for (name, expected) in [
            ("default", "has neither aws_access_key_id"),
            (
                "nobody",
                "there is no profile nobody of AWS in /aws/credentials and /aws/config",
            ),
            ("a", "leads to itself"),
            ("lost", "does not say what opens it"),
        ] {
            let problem = named(name, true, None).expect_err(name);
            assert!(problem.contains(expected), "{problem}");
        }
        // Nobody has asked for a profile, and there is none: the machine's role.
        assert!(matches!(
            named("none", false, None),
            Ok(AwsCredentials::Instance { .. })
        ));
    }
}
