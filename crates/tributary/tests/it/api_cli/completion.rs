//! Completion in the shells themselves: names that the worker knows, offered by bash, by fish, and by zsh at a terminal.

use std::path::Path;

use test_support::limits;
use tokio::process::Command;
use tokio::time::timeout;

use super::Asker;
use crate::connect_worker::SOON;

/// What bash offers behind these words.
const BASH: &str = r#"
source <(tributary completion bash)
COMP_WORDS=(tributary TYPED)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tributary_names tributary "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
/// What fish offers, without what it says of each.
const FISH: &str = r#"
tributary completion fish | source
complete -C "tributary TYPED" | string split -f1 \t
"#;
/// What zsh makes of the words at a terminal where the tabulator is pressed.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -Uz compinit; compinit -u -D; bindkey "^I" complete-word'
zpty -w shell 'source <(tributary completion zsh)'
zpty -w shell 'show() { print -r -- "<""<$BUFFER>>"; BUFFER= }; zle -N show; bindkey "^T" show'
zpty -w shell 'print -r -- "it is ""ready"'
zpty -r shell said '*it is ready*'
zpty -w -n shell $'tributary TYPED\t\x14'
zpty -r shell said '*<<*>>*'
said=${said##*<<}
print -r -- ${said%%>>*}
"#;

/// What a shell offers behind these words, where there are no files.
async fn offered(asker: &Asker<'_>, shell: &str, script: &str, words: &str) -> Vec<String> {
    let folder = asker.0.folder.path();
    let program = limits::program(Path::new(env!("CARGO_BIN_EXE_tributary")));
    let program = std::path::absolute(program).expect("a path");
    let (bin, empty) = (folder.join("bin"), folder.join("empty"));
    if !bin.exists() {
        std::fs::create_dir(&bin).expect("a folder");
        std::fs::create_dir(&empty).expect("a folder");
        std::os::unix::fs::symlink(program, bin.join("tributary")).expect("a link");
    }
    let script = format!("PATH=\"$HERE:$PATH\"\n{}", script.replace("TYPED", words));
    let script = match shell {
        "fish" => script.replacen("PATH=\"$HERE:$PATH\"", "set -x PATH $HERE $PATH", 1),
        _ => script,
    };
    let url = format!("http://{}", asker.0.client.address);
    let mut command = Command::new(shell);
    command
        .args(["-c", &script])
        .current_dir(empty)
        .kill_on_drop(true);
    command
        .env("HERE", bin)
        .env("TRIBUTARY_URL", url)
        .env("XDG_CONFIG_HOME", folder.join("home"))
        .env("TERM", "vt100");
    let ended = timeout(SOON, command.output()).await;
    let ended = ended.expect("it ends");
    let ended =
        ended.unwrap_or_else(|error| panic!("{shell}: {error}: cargo xtask test installs it"));
    let text = String::from_utf8_lossy(&ended.stdout);
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Names that the worker knows are completed, and where it cannot be asked nothing is said.
pub(super) async fn completes(asker: &Asker<'_>) {
    let bash = async |words: &str| offered(asker, "bash", BASH, words).await;
    assert_eq!(bash("pause as").await, ["asked"]);
    assert_eq!(bash("restart task as").await, ["asked/0"]);
    assert_eq!(
        bash("patch asked -s tasks.m").await,
        ["tasks.max=", "tasks.max.enforce="]
    );
    assert_eq!(bash("conf").await, ["config"], "commands as before");
    // Names are somebody else's text: what would be a command is quoted.
    let named = "tributary() { printf '%s\\n' 'as$(touch run)'; }";
    let hostile = BASH.replacen("COMP_WORDS=", &format!("{named}\nCOMP_WORDS="), 1);
    let found = offered(asker, "bash", &hostile, "pause as").await;
    assert_eq!(found, [r"as\$\(touch\ run\)"]);
    assert!(!asker.0.folder.path().join("empty/run").exists());
    let fish = async |words: &str| offered(asker, "fish", FISH, words).await;
    assert_eq!(fish("pause as").await, ["asked"]);
    assert_eq!(fish("restart task as").await, ["asked/0"]);
    assert_eq!(fish("conf").await, ["config"]);
    let zsh = async |words: &str| offered(asker, "zsh", ZSH, words).await;
    assert_eq!(zsh("pause as").await, ["tributary pause asked"]);
    assert_eq!(
        zsh("restart task as").await,
        ["tributary restart task asked/0"]
    );
    assert_eq!(zsh("conf").await, ["tributary config"]);
    let nobody = asker
        .run(&["complete", "pause", "--url", "http://127.0.0.1:1", ""])
        .await
        .ended_with(0);
    assert_eq!((&*nobody.output, &*nobody.error), ("", ""));
}
