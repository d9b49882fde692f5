//! What may be done: `resource:action`.

use std::{fmt, str::FromStr};

/// `resource:action`, `*` on either side, optionally narrowed to one instance (`invoice/42:read`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission {
    resource: String,
    instance: Option<String>,
    action: String,
}

/// A permission that is not `resource:action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a permission as resource:action or resource/instance:action, with letters, digits, '.', '_' or '-'; \
     '*' may stand for every resource or every action"
)]
pub struct PermissionSyntax;

impl Permission {
    /// Whether holding this permission allows `wanted`.
    pub fn allows(&self, wanted: &Self) -> bool {
        let resource = self.resource == "*" || self.resource == wanted.resource;
        let instance = self.instance.is_none() || self.instance == wanted.instance;
        let action = self.action == "*" || self.action == wanted.action;
        resource && instance && action
    }

    /// What both allow, if anything.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        let narrower = |a: &str, b: &str| {
            let both = if a == "*" { Some(b) } else { (b == "*" || a == b).then_some(a) };
            both.map(str::to_owned)
        };
        let instance = match (&self.instance, &other.instance) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let resource = narrower(&self.resource, &other.resource)?;
        Some(Self { resource, instance, action: narrower(&self.action, &other.action)? })
    }

    /// What it is about; `*` stands for everything.
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

impl FromStr for Permission {
    type Err = PermissionSyntax;

    fn from_str(value: &str) -> Result<Self, PermissionSyntax> {
        let plain = |text: &str| {
            let good = !text.is_empty()
                && text.len() <= 128
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
            good.then(|| text.to_owned()).ok_or(PermissionSyntax)
        };
        let word = |text: &str| if text == "*" { Ok("*".to_owned()) } else { plain(text) };
        let (target, action) = value.split_once(':').ok_or(PermissionSyntax)?;
        // An instance is one instance: `invoice/*` would read like all of them and match none.
        let (resource, instance) = match target.split_once('/') {
            Some((resource, instance)) => (resource, Some(plain(instance)?)),
            None => (target, None),
        };
        Ok(Self { resource: word(resource)?, instance, action: word(action)? })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if let Some(instance) = &self.instance {
            write!(f, "/{instance}")?;
        }
        write!(f, ":{}", self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// wildcards and instances.
    #[test]
    fn permissions() {
        let allows = |held: &str, wanted: &str| {
            held.parse::<Permission>().unwrap().allows(&wanted.parse::<Permission>().unwrap())
        };
        assert!(allows("*:*", "invoice/42:read"));
        assert!(allows("invoice:*", "invoice/42:read"));
        assert!(allows("invoice/42:read", "invoice/42:read"));
        assert!(!allows("invoice/42:read", "invoice:read"));
        assert!(!allows("invoice/42:read", "invoice/43:read"));
        assert!(!allows("*:read", "invoice:write"));
        for bad in ["", "invoice", ":read", "invoice:", "in voice:read", "a/b/c:read", "invoice/*:read", "a:b:c"] {
            assert_eq!(bad.parse::<Permission>(), Err(PermissionSyntax), "{bad}");
        }
        assert_eq!("invoice/42:read".parse::<Permission>().unwrap().to_string(), "invoice/42:read");
    }
}
