//! What the command line prints, and the questions it asks.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use super::{command::Reply, exit::Exit};

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// JSON on standard output instead of text.
    pub json: bool,
}

/// What became of a line for standard output.
#[derive(Debug)]
#[must_use]
pub(super) enum Written {
    /// It is written.
    Done,
    /// Whoever read went away, as `head` does: no error, and no reason to go on.
    ReaderGone,
    /// It could not be written: a full disk, say.
    Lost(io::Error),
}

impl Written {
    /// How a command ends that ends with `exit` where its answer was written.
    pub(super) fn exit(self, exit: Exit) -> Exit {
        let Self::Lost(error) = self else { return exit };
        tell(&format!(
            "The answer could not be written: {error}. What was asked for is done; a secret that was in the answer is lost: \
             give a new one with `signet client rotate-secret` or `signet user set-password`."
        ));
        Exit::Failed
    }
}

impl Output {
    /// Prints how a command ended.
    pub fn finish(self, reply: Reply) -> Exit {
        match reply {
            Reply::Done { text, value } => self.answer(&text, &[value]).exit(Exit::Done),
            Reply::Changes { text, value } => self.answer(&text, &[value]).exit(Exit::Changes),
            Reply::Wrong { text, value } => self.answer(&text, &[value]).exit(Exit::Failed),
            Reply::Lines { text, value } | Reply::More { text, value, .. } => {
                self.answer(&text, &value).exit(Exit::Done)
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
    pub fn answer(self, text: &str, values: &[Value]) -> Written {
        if !self.json {
            return if text.is_empty() { Written::Done } else { say(text) };
        }
        for value in values {
            match say(&value.to_string()) {
                Written::Done => {}
                lost => return lost,
            }
        }
        Written::Done
    }

    /// One message on standard error; for scripts also an object on standard output.
    pub fn fail(self, code: &str, message: &str, field: Option<&str>) {
        if self.json {
            let mut value = json!({ "error": code, "message": message });
            if let (Some(field), Some(members)) = (field, value.as_object_mut()) {
                members.insert("field".to_owned(), field.into());
            }
            // The exit code says that it failed, whether this is read or not.
            let _ = say(&value.to_string());
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

/// A line to standard output.
pub(super) fn say(line: &str) -> Written {
    let mut out = io::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Written::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Written::ReaderGone,
        Err(error) => Written::Lost(error),
    }
}

/// Whether whoever read standard output went away, also where nothing is written that would tell.
pub(super) fn reader_is_gone() -> bool {
    let out = io::stdout();
    let mut polled = [PollFd::new(&out, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok()
        && polled.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// A line to standard error. Where it cannot be written the program goes on without it.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
