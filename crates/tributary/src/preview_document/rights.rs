//! Access rights in a preview: what would be made and taken back, and what is not copied as it is.

use replication::metadata_sync::acl::{AclNote, AclPlan, AclState};
use serde_json::{Value, json};

/// A plan, or why there is none.
pub(crate) type Rights = Result<AclPlan, AclState>;

/// Whether somebody has to act before rights can be copied.
pub(crate) fn is_error(rights: &Rights) -> bool {
    match rights {
        Ok(plan) => plan.notes.iter().any(|note| note.error),
        Err(AclState::Trouble(_)) => true,
        // Topics are copied all the same, and nobody asked for rights that there are none of.
        Err(_) => false,
    }
}

fn obstacle(state: &AclState) -> String {
    match state {
        AclState::Off { side, code } => format!("the {side} answers {code}; none are copied"),
        AclState::Trouble(trouble) => trouble.clone(),
        AclState::Waiting | AclState::Active => "not known".to_owned(),
    }
}

pub(crate) fn lines(rights: &Rights) -> Vec<String> {
    let mut lines = vec!["ACCESS RIGHTS".to_owned()];
    match rights {
        Ok(plan) => {
            let text = plan.to_string();
            lines.extend(text.lines().map(|line| format!("  {line}")));
            if text.is_empty() {
                lines.push("  nothing to change".to_owned());
            }
        }
        Err(state) => lines.push(format!("  {}", obstacle(state))),
    }
    lines
}

pub(crate) fn object(rights: &Rights) -> Value {
    let plan = match rights {
        Ok(plan) => plan,
        Err(state) => return json!({ "unknown": obstacle(state) }),
    };
    let note = |note: &AclNote| json!({ "error": note.error, "right": note.binding.to_string(), "reason": note.reason });
    let create = plan.create.iter().map(|(binding, _)| binding.to_string());
    let all = |bindings: &[kafka_wire::message::acl::AclBinding]| -> Vec<String> {
        bindings.iter().map(ToString::to_string).collect()
    };
    json!({
        "create": create.collect::<Vec<_>>(),
        "delete": all(&plan.delete),
        "keep": all(&plan.drift),
        "notes": plan.notes.iter().map(note).collect::<Vec<_>>(),
    })
}
