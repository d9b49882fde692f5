//! The `claims` parameter.

use super::is_plain;
use crate::claims::ClaimsRequest;

/// `data` is the decoded parameter.
pub fn claims(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    match ClaimsRequest::parse(text) {
        Ok(asked) => {
            let printed = serde_json::to_string(&asked).unwrap();
            assert_eq!(ClaimsRequest::parse(&printed).unwrap(), asked, "{printed}");
            true
        }
        Err(error) => {
            is_plain(&error);
            false
        }
    }
}
