//! `signet completions` and `signet man`: made from what the command line accepts.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::{Args, Command};
use clap_complete::Shell;

/// `signet completions`
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell.
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn print(&self, mut program: Command) -> io::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "signet", &mut script);
        io::stdout().write_all(&script)
    }
}

/// `signet man`
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The command whose page is wanted, such as `client create`; the program itself when not given.
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
    /// Write the pages of all commands into this directory instead.
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    dir: Option<PathBuf>,
}

/// Why no page was printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManError {
    /// No such command.
    #[error("there is no command {0:?}: `signet --help` lists them")]
    Unknown(String),
    /// The page or the directory could not be written.
    #[error("the page cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl Man {
    /// Prints a page in troff, or writes them all.
    pub fn print(&self, mut program: Command) -> Result<(), ManError> {
        program.build();
        if let Some(dir) = &self.dir {
            return Ok(clap_mangen::generate_to(program, dir)?);
        }
        let mut name = program.get_name().to_owned();
        let mut command = program;
        for word in &self.path {
            let found = command.find_subcommand(word).cloned();
            command = found.ok_or_else(|| ManError::Unknown(self.path.join(" ")))?;
            name = format!("{name}-{word}");
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command.display_name(name)).render(&mut page)?;
        Ok(io::stdout().write_all(&page)?)
    }
}
