//! What the system says of this process.

use std::fs;

/// What `/proc` says. Absent where it says nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Resident memory, in bytes.
    pub memory: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors.
    pub files: Option<u64>,
}

impl Process {
    /// Reads it now.
    pub fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = fs::read_dir("/proc/self/fd").ok();
        let (memory, threads) = parse(&status);
        // One of them is the reading itself.
        Self { memory, threads, files: files.and_then(|files| u64::try_from(files.count().saturating_sub(1)).ok()) }
    }
}

/// Memory in bytes and threads, out of `/proc/self/status`.
fn parse(status: &str) -> (Option<u64>, Option<u64>) {
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    (number("VmRSS").and_then(|kibibytes| kibibytes.checked_mul(1024)), number("Threads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_says() {
        assert_eq!(parse("Name:\tsignet\nVmRSS:\t   12 kB\nThreads:\t3\n"), (Some(12 * 1024), Some(3)));
        assert_eq!(parse("VmRSS: lots\n"), (None, None));
        assert!(Process::read().files.is_some_and(|files| files > 0));
    }
}
