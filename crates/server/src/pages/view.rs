//! What each page shows: one struct for one template of `templates/`.
//!
//! Everything a person or an application supplied passes through askama's HTML escaping.
//! No page holds an inline script or style. All but the one for sign-in links hold no script at all, and work under
//! `default-src 'none'; style-src 'self'; img-src 'self' data:`; that one adds `script-src 'self'`.

use askama::Template;

#[cfg(test)]
mod tests;

/// The stylesheet, served as `text/css` at the path of [`Page::style_href`].
pub const STYLE: &str = include_str!("../../assets/style.css");

/// A hash of [`STYLE`]: a new stylesheet gets a new address, so that it can be cached without end.
pub const STYLE_VERSION: u64 = fnv1a(STYLE.as_bytes());

/// What every page has around its content.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Title of the document, without the name of the product.
    pub title: String,
    /// Nonce of the content security policy; empty on pages without a script.
    pub nonce: String,
    /// Host of the issuer, shown at the foot.
    pub issuer_host: String,
    /// Identifier under which the request is logged; may be empty.
    pub request_id: String,
}

impl Page {
    /// A page without script and without request identifier.
    pub fn plain(title: impl Into<String>, issuer_host: impl Into<String>) -> Self {
        Self { title: title.into(), issuer_host: issuer_host.into(), ..Self::default() }
    }

    /// Address of the stylesheet.
    pub fn style_href(&self) -> String {
        format!("/assets/style.css?v={STYLE_VERSION:016x}")
    }
}

/// What is wrong with one field of a form.
#[derive(Clone, Debug)]
pub struct FieldError {
    /// Name of the input; a name the form does not have stands for the form as a whole.
    pub field: &'static str,
    /// What is wrong and how to put it right.
    pub message: String,
}

/// What an application says of itself to people.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Where its picture is.
    pub logo_src: Option<String>,
    /// Where it says what it does with what it learns.
    pub policy_href: Option<String>,
    /// Where its terms are.
    pub tos_href: Option<String>,
}

/// Sign-in: posts `username` and `password` to `/signin`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "signin.html")]
pub struct SignIn {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// The sealed interaction; empty outside an authorization request.
    pub interaction: String,
    /// Name of the application that asks, if one does.
    pub client_name: Option<String>,
    /// What it says of itself.
    pub said: Said,
    /// What was typed before, or a login hint.
    pub username: String,
    /// Why the last try was refused.
    pub error: Option<String>,
    /// Where registration is, if it is open.
    pub register_href: Option<String>,
    /// News of no alarm, such as a sign-out that has just happened.
    pub notice: Option<String>,
}

/// Sign-in by a one-time link: posts `code` to `/signin/link`. The one page with a script, which works without it too.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "link.html")]
pub struct LinkSignIn {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// Why the last try was refused.
    pub error: Option<String>,
}

/// Registration: posts `username`, `email` and `password` to `/register`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "register.html")]
pub struct Register {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// The sealed interaction; empty outside an authorization request.
    pub interaction: String,
    /// Name of the application that asks, if one does.
    pub client_name: Option<String>,
    /// What it says of itself.
    pub said: Said,
    /// What was typed before.
    pub username: String,
    /// What was typed before.
    pub email: String,
    /// What is wrong, field by field.
    pub errors: Vec<FieldError>,
    /// Where sign-in is.
    pub signin_href: String,
    /// Smallest length of a password, in characters.
    pub min_password: usize,
}

impl Register {
    /// The first message for one field.
    pub fn error_for(&self, field: &str) -> Option<&str> {
        let error = self.errors.iter().find(|error| error.field == field)?;
        Some(&error.message)
    }

    /// Whether the form should open with the cursor in this field: the first wrong one, else the first.
    pub fn starts_at(&self, field: &str) -> bool {
        let wrong = ["username", "email", "password"].into_iter().find(|name| self.error_for(name).is_some());
        wrong.unwrap_or("username") == field
    }
}

/// Consent: posts `decision` (`allow` or `deny`) to `/consent`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// The sealed interaction.
    pub interaction: String,
    /// Name of the application that asks.
    pub client_name: String,
    /// Host of the redirect URI.
    pub client_host: String,
    /// Whether the application registered itself.
    pub unverified: bool,
    /// Who is signed in.
    pub account: String,
    /// What is asked for.
    pub scopes: Vec<ScopeLine>,
    /// Where to sign in as somebody else.
    pub switch_href: String,
    /// What the application says of itself.
    pub said: Said,
}

/// One scope on the consent page.
#[derive(Clone, Debug)]
pub struct ScopeLine {
    /// The scope as the application asked for it.
    pub name: String,
    /// What it allows, as a phrase that starts with a capital.
    pub description: String,
}

/// The choice between who is signed in and somebody else: posts `decision` (`continue`) to `/select-account`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "select_account.html")]
pub struct SelectAccount {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// The sealed interaction.
    pub interaction: String,
    /// Name of the application that asks.
    pub client_name: String,
    /// Who is signed in.
    pub account: String,
    /// Where to sign in as somebody else.
    pub switch_href: String,
}

/// An application that is for others: posts `decision` (`back`) to `/no-access`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "no_access.html")]
pub struct NoAccess {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// The sealed interaction.
    pub interaction: String,
    /// Name of the application that asks.
    pub client_name: String,
    /// Who is signed in.
    pub account: String,
    /// Where to sign in as somebody else.
    pub switch_href: String,
}

/// What a person allowed applications: posts `client_id` to `/account/applications`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "account/applications.html")]
pub struct Applications {
    /// The frame.
    pub page: Page,
    /// Who is signed in.
    pub account: String,
    /// Whether something was withdrawn a moment ago.
    pub withdrawn: bool,
    /// The applications.
    pub applications: Vec<Application>,
    /// Where more of them are.
    pub next_href: Option<String>,
}

/// An application the person allowed something.
#[derive(Clone, Debug)]
pub struct Application {
    /// Token against forged requests, for this application only.
    pub csrf: String,
    /// Its identifier.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// What it was allowed.
    pub scopes: Vec<ScopeLine>,
    /// The day it was first allowed something.
    pub since: String,
    /// The same for machines.
    pub since_machine: String,
    /// Whether it registered itself.
    pub unverified: bool,
    /// Whether it is switched off.
    pub off: bool,
}

/// What was done with a person's own account.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "account/activity.html")]
pub struct RecentActivity {
    /// The frame.
    pub page: Page,
    /// Who is signed in.
    pub account: String,
    /// What was done, the newest first.
    pub lines: Vec<ActivityLine>,
    /// Where what is older is.
    pub next_href: Option<String>,
}

/// One thing that was done.
#[derive(Clone, Debug)]
pub struct ActivityLine {
    /// What.
    pub what: String,
    /// Whether it was refused.
    pub refused: bool,
    /// By whom.
    pub by: &'static str,
    /// When.
    pub at: String,
    /// The same for machines.
    pub at_machine: String,
    /// With which application.
    pub client_name: Option<String>,
    /// Its identifier, shown where it has no name.
    pub client_id: Option<String>,
    /// On what else.
    pub object: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// By which program.
    pub user_agent: Option<String>,
}

/// Errors, expired or completed interactions, the signed-out page.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "message.html")]
pub struct Message {
    /// The frame.
    pub page: Page,
    /// What happened.
    pub heading: String,
    /// What it means and what to do.
    pub text: String,
    /// Stable error code.
    pub code: Option<String>,
    /// What exactly is wrong, in the words of the protocol, for whoever runs the application.
    pub detail: Option<String>,
    /// Identifier under which the request is logged, to be quoted to whoever helps.
    pub request_id: Option<String>,
    /// Ways on, the best one first.
    pub links: Vec<Link>,
}

/// A link in the text of a page.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub label: String,
}

/// Sign-out confirmation: posts `decision` (`signout` or `stay`) to `/oauth/logout`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "signout.html")]
pub struct SignOut {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// Who is signed in.
    pub account: String,
    /// Name of the application that asks, if one does.
    pub client_name: Option<String>,
    /// Further hidden inputs: name and value.
    pub hidden: Vec<(String, String)>,
}

/// After a sign-out; with a frame for each application that is told in one, and the way back to the one that asked.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// The frame.
    pub page: Page,
    /// What the frames show.
    pub frames: Vec<String>,
    /// Where the application wants the person next, and its name.
    pub onward: Option<(String, String)>,
    /// Allows the script that goes there.
    pub nonce: String,
}

/// What stands at `/`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "home.html")]
pub struct Home {
    /// The frame.
    pub page: Page,
    /// Token against forged requests.
    pub csrf: String,
    /// Who is signed in.
    pub account: Option<HomeAccount>,
    /// Whether the playground is served.
    pub playground: bool,
}

/// The signed-in person at `/`.
#[derive(Clone, Debug)]
pub struct HomeAccount {
    /// User name.
    pub username: String,
    /// Email address.
    pub email: String,
    /// Number of sessions that have not ended, this one included.
    pub sessions: usize,
    /// The applications that can be started from here.
    pub applications: Vec<Launch>,
}

/// An application that can be started from `/`.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its name.
    pub name: String,
    /// What stands for its picture; may be empty.
    pub initial: String,
    /// Host and port of where it is.
    pub host: String,
    /// OIDC Core §4: where it begins a sign-in.
    pub href: String,
}

/// FNV-1a over 64 bits: tells one stylesheet from another, protects nothing.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0100_0000_01b3);
        rest = tail;
    }
    hash
}
