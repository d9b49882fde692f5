//! Where an interaction stands, and what the person answered.

use signet_oidc::{
    interaction::Interaction,
    secret::{DerivationKey, Secret},
    subject::Session,
};

use crate::guard::csrf;

/// What the person pressed on a page that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// To go on as who is signed in.
    Continue,
    /// To allow what is asked for.
    Allow,
    /// To refuse it.
    Deny,
    /// To go back to an application that is for others.
    Back,
}

impl Decision {
    /// What the form says.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Back => "back",
        }
    }

    /// What the form's token is bound to: the page, the interaction, and the session and account that saw it.
    pub(super) fn purpose(self, interaction: &Interaction, session: &Session) -> [Vec<u8>; 4] {
        let page: &[u8] = match self {
            Self::Continue => b"account",
            Self::Allow | Self::Deny => b"consent",
            Self::Back => b"no-access",
        };
        [
            page.to_vec(),
            interaction.id.0.as_bytes().to_vec(),
            session.id.0.as_bytes().to_vec(),
            session.account.id.0.as_bytes().to_vec(),
        ]
    }

    /// The token of the form, for the page that `session` sees in this browser.
    pub fn token(self, key: &DerivationKey, browser: &Secret, interaction: &Interaction, session: &Session) -> String {
        let purpose = self.purpose(interaction, session);
        csrf::token(key, browser, &purpose.each_ref().map(Vec::as_slice))
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
