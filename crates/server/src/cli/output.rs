//! What the command line prints, and the questions it asks.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use super::{command::Reply, exit::Exit};

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// JSON on standard output instead of text.
    pub json: bool,
}

impl Output {
    /// Prints how a command ended.
    pub fn finish(self, reply: Reply) -> Exit {
        match reply {
            Reply::Done { text, value } => {
                self.answer(&text, &[value]);
                Exit::Done
            }
            Reply::Changes { text, value } => {
                self.answer(&text, &[value]);
                Exit::Changes
            }
            Reply::Wrong { text, value } => {
                self.answer(&text, &[value]);
                Exit::Failed
            }
            Reply::Lines { text, value } | Reply::More { text, value, .. } => {
                self.answer(&text, &value);
                Exit::Done
            }
            Reply::Ask { text, question, .. } => {
                tell(&text);
                let message = format!("{question} Nothing was changed: give --yes to go on without being asked.");
                self.fail("unconfirmed", &message, None);
                Exit::Unconfirmed
            }
            Reply::Failed { code, message, field, exit } => {
                self.fail(&code, &message, field.as_deref());
                exit
            }
        }
    }

    /// Prints an answer or a part of one.
    pub fn answer(self, text: &str, values: &[Value]) {
        if self.json {
            for value in values {
                say(&value.to_string());
            }
        } else if !text.is_empty() {
            say(text);
        }
    }

    /// One message on standard error; for scripts also an object on standard output.
    pub fn fail(self, code: &str, message: &str, field: Option<&str>) {
        if self.json {
            let mut value = json!({ "error": code, "message": message });
            if let (Some(field), Some(members)) = (field, value.as_object_mut()) {
                members.insert("field".to_owned(), field.into());
            }
            say(&value.to_string());
        }
        tell(message);
    }

    /// Whether somebody is there to be asked.
    pub fn can_ask(self) -> bool {
        !self.json && io::stdin().is_terminal() && io::stderr().is_terminal()
    }
}

/// Shows what would be done and reads the answer. Anything but yes is no.
pub(super) fn confirm(text: &str, question: &str) -> bool {
    let mut err = io::stderr();
    // A question nobody saw is not answered yes.
    if write!(err, "{text}\n{question} [y/N] ").and_then(|()| err.flush()).is_err() {
        return false;
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).is_ok();
    read && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A line to standard output. A reader that went away, as `head` does, is no error.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line to standard error. Where it cannot be written the program goes on without it.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
