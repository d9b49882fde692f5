//! W3C trace context: which trace a request belongs to.

use signet_oidc::Turn;

/// The header's name, in both directions.
pub const HEADER: &str = "traceparent";

/// The flags of version 00 and of level 2: sampled, and a random trace id. Others are not passed on.
const FLAGS: u8 = 0b11;

/// A place in a trace (W3C Trace Context §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
}

tokio::task_local! {
    /// The place of the request that runs in this task.
    pub(super) static CURRENT: TraceContext;
}

/// The value of `traceparent` for a request to elsewhere, made on behalf of the request that runs in this task.
pub fn outbound() -> Option<String> {
    CURRENT.try_with(TraceContext::header).ok()
}

impl TraceContext {
    /// A trace of its own, or the next place in the one that `header` names. A header that is not valid is no header.
    pub fn next(header: Option<&str>, turn: &mut Turn) -> Self {
        // Zero is not valid; it does not come up in the lifetime of a machine, and is made one.
        let span = u64::from_be_bytes(turn.bytes()).max(1);
        match header.and_then(Self::parse) {
            Some(before) => Self { span, ..before },
            None => Self { trace: u128::from_be_bytes(turn.bytes()).max(1), span, flags: 0b10 },
        }
    }

    /// §3.2.2: version, trace id, parent id and flags in lower case hex. A later version may say more after these.
    fn parse(text: &str) -> Option<Self> {
        let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = (version.len(), trace.len(), span.len(), flags.len()) == (2, 32, 16, 2);
        let more = parts.next().is_some();
        if !sizes || ![version, trace, span, flags].into_iter().all(hex) || version == "ff" {
            return None;
        }
        if more && version == "00" {
            return None;
        }
        let context = Self {
            trace: u128::from_str_radix(trace, 16).ok()?,
            span: u64::from_str_radix(span, 16).ok()?,
            flags: u8::from_str_radix(flags, 16).ok()? & FLAGS,
        };
        (context.trace != 0 && context.span != 0).then_some(context)
    }

    /// The value of `traceparent` from here on.
    pub fn header(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }

    /// The trace, 32 hex digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }

    /// The place in it, 16 hex digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn() -> Turn {
        Turn::new(chrono::DateTime::UNIX_EPOCH, [7; 32])
    }

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// R-62, W3C Trace Context §3.2: a valid header is continued under a place of its own, flags kept.
    #[test]
    fn a_valid_header_is_continued() {
        for (header, flags) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), "01"),
            (format!("00-{TRACE}-00f067aa0ba902b7-ff"), "03"),
            (format!("cc-{TRACE}-00f067aa0ba902b7-00-what-comes-later"), "00"),
        ] {
            let context = TraceContext::next(Some(&header), &mut turn());
            assert_eq!(context.trace_id(), TRACE, "{header}");
            assert_ne!(context.span_id(), "00f067aa0ba902b7");
            assert_eq!(context.header(), format!("00-{TRACE}-{}-{flags}", context.span_id()));
        }
    }

    /// R-62, W3C Trace Context §3.2.2: what is not valid is ignored, and a new trace begins.
    #[test]
    fn what_is_not_valid_is_ignored() {
        let zero = "0".repeat(32);
        for header in [
            String::new(),
            "garbage".to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{zero}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
        ] {
            let context = TraceContext::next(Some(&header), &mut turn());
            assert_ne!(context.trace_id(), TRACE, "{header}");
            assert_eq!(context.trace_id().len(), 32);
        }
        assert!(outbound().is_none());
    }
}
