//! Panics: none is reachable from a request as far as is known. One that happens is logged, and costs one answer.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, PanicHookInfo},
};

/// Replaces the hook that writes to standard error: a panic is a line of the log like any other, in the request's span.
pub fn hook() {
    panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let trace = Backtrace::capture();
    let backtrace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(
        thread = thread.name().unwrap_or_default(),
        place,
        reason = reason(info.payload()),
        backtrace,
        "a thread panicked"
    );
}

/// The message, where it is a constant of the program. One that was put together may hold whatever was at hand, such as
/// the text that could not be cut; the place says enough.
fn reason(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(a message with values, left out)")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// values in a panic's message are not logged.
    #[test]
    fn a_message_with_values_is_left_out() {
        let caught = |work: fn()| panic::catch_unwind(work).unwrap_err();
        assert_eq!(reason(caught(|| panic!("constant")).as_ref()), "constant");
        let secret = caught(|| panic!("{}", std::hint::black_box(String::from("hunter2"))));
        assert_eq!(reason(secret.as_ref()), "(a message with values, left out)");
    }
}
