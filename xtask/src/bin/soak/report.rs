//! One page per run.

use std::path::Path;

use crate::{Result, say};

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The file's name, without its ending.
    pub(crate) name: String,
    pub(crate) lines: Vec<String>,
    /// What is not as it should be.
    pub(crate) wrong: Vec<String>,
}

impl Page {
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        let text = text.into();
        say(&text);
        self.lines.push(text);
    }

    /// Holds a figure to its limit.
    pub(crate) fn hold(&mut self, holds: bool, text: impl Into<String>) {
        let text = text.into();
        self.line(format!(
            "- {}: {text}",
            if holds { "holds" } else { "DOES NOT HOLD" }
        ));
        if !holds {
            self.wrong.push(text);
        }
    }

    /// Writes it; whether all was well.
    pub(crate) fn write(&self, folder: &Path) -> Result<bool> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.md", self.name));
        std::fs::write(&file, self.lines.join("\n") + "\n")?;
        say(&format!("written: {}", file.display()));
        Ok(self.wrong.is_empty())
    }
}
