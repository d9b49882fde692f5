//! Where an interaction stands, and what the person answered.

use signet_oidc::{interaction::Interaction, subject::Session};

/// What the person pressed on a page that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// To go on as who is signed in.
    Continue,
    /// To allow what is asked for.
    Allow,
    /// To refuse it.
    Deny,
}

impl Decision {
    /// What the form's token is bound to: the page, the interaction, and the session and account that saw it.
    pub fn purpose(self, interaction: &Interaction, session: &Session) -> [Vec<u8>; 4] {
        let page: &[u8] = match self {
            Self::Continue => b"account",
            Self::Allow | Self::Deny => b"consent",
        };
        [
            page.to_vec(),
            interaction.id.0.as_bytes().to_vec(),
            session.id.0.as_bytes().to_vec(),
            session.account.id.0.as_bytes().to_vec(),
        ]
    }
}

/// What the person answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was pressed.
    pub decision: Decision,
    /// The posted form token.
    pub token: String,
}

/// Where an interaction stands before [`proceed`].
#[derive(Debug)]
pub enum Step {
    /// The authorization request just came.
    Arrived,
    /// A page was shown.
    Returned(Interaction, String),
    /// A page that asks was answered.
    Answered(Interaction, String, Answer),
}

impl Step {
    /// The interaction as it was opened and as it came, and what was answered.
    pub(super) fn parts(self) -> (Option<(Interaction, String)>, Option<Answer>) {
        match self {
            Self::Arrived => (None, None),
            Self::Returned(interaction, sealed) => (Some((interaction, sealed)), None),
            Self::Answered(interaction, sealed, answer) => (Some((interaction, sealed)), Some(answer)),
        }
    }
}
