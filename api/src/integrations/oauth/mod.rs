//! Connecting by OAuth: the browser is sent to the provider and comes back with a code.
//!
//! What ties the two ends together is a random state that works once and of which only a hash is
//! kept, and a cookie that shows that the browser which comes back is the one that was sent.
//!
//! Who begins at the provider comes back without a state, and nothing tells whose wish it was: that
//! waits, as a pending connection, until the user who is signed in has seen it and said yes.

pub(super) mod authorize;
pub(super) mod callback;
mod connected;
mod exchange;
pub(super) mod pending;
pub(super) mod ticket;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use keyway_shared::crypto::tokens::hash_token;
use keyway_shared::domain::connection::ProviderName;
use keyway_shared::providers::{Departure, Provider};
use keyway_shared::secret::Secret;
use keyway_shared::store::StoreError;
use url::Url;

use crate::auth::cookies;
use crate::error::ApiError;
use crate::options::ApiOptions;
use crate::pages::redirect::same_origin;
use crate::pages::{Link, Page, Sign};
use crate::state::ApiState;

/// Where a browser is signed in.
const SIGN_IN: &str = "/v1/auth/github/start";

/// A cookie that ties a browser to something that is under way.
struct Cookie {
    name: &'static str,
    /// Seconds that it lasts.
    lasts: i64,
}

/// Of a browser that was sent to a provider.
const AWAY: Cookie = Cookie {
    name: "keyway_oauth",
    lasts: 600,
};
/// Of a browser that came from a provider without having been sent. It has time to sign in, which
/// may take ten minutes by itself.
const PENDING: Cookie = Cookie {
    name: "keyway_pending",
    lasts: 900,
};

impl Cookie {
    /// Whether the browser has the one of which this is the hash. It may send one of an outer path or
    /// domain as well.
    fn is_in(&self, headers: &HeaderMap, hash: &[u8; 32]) -> bool {
        self.find(headers, hash).is_some()
    }

    /// The same, with what is in it.
    fn find<'a>(&self, headers: &'a HeaderMap, hash: &[u8; 32]) -> Option<&'a str> {
        cookies::all(headers, self.name).find(|value| hash_token(value) == *hash)
    }

    /// Gives the browser one; `value` is one of our own tokens.
    fn set(&self, options: &ApiOptions, response: &mut Response, value: &str) {
        self.send(options, response, value, self.lasts);
    }

    /// Takes it from the browser.
    fn remove(&self, options: &ApiOptions, response: &mut Response) {
        self.send(options, response, "", 0);
    }

    fn send(&self, options: &ApiOptions, response: &mut Response, value: &str, age: i64) {
        let name = self.name;
        let secure = if options.public_url.starts_with("https://") {
            "; Secure"
        } else {
            ""
        };
        let cookie = format!(
            "{name}={value}; Path=/v1/integrations; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Why nothing was connected, for a page. One paragraph for what happened, one for what to do.
struct Refusal {
    status: StatusCode,
    sign: Sign,
    title: &'static str,
    text: [String; 2],
    /// Whether it helps to sign in as somebody else.
    leads_to_sign_in: bool,
}

impl Refusal {
    fn new(status: StatusCode, title: &'static str, happened: &str, to_do: &str) -> Self {
        Self {
            status,
            sign: Sign::Failed,
            title,
            text: [happened.to_owned(), to_do.to_owned()],
            leads_to_sign_in: false,
        }
    }

    /// For a browser that is signed in as somebody else than the matter is about.
    fn other_user(title: &'static str, happened: &str, to_do: &str) -> Self {
        Self {
            leads_to_sign_in: true,
            ..Self::new(StatusCode::FORBIDDEN, title, happened, to_do)
        }
    }

    /// For what somebody wanted so.
    fn wanted(status: StatusCode, happened: &str, to_do: &str) -> Self {
        Self {
            sign: Sign::Notice,
            ..Self::new(status, "Not connected", happened, to_do)
        }
    }

    fn our_fault(status: StatusCode) -> Self {
        Self::new(
            status,
            "Not connected",
            "Something went wrong on our side. Nothing was connected.",
            "Please start again. If this happens again, tell whoever runs this service.",
        )
    }

    fn another_browser() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "This began in another browser",
            "It can only be finished where it began, and this is another browser, or one whose cookies \
             are gone. Nothing was connected.",
            "Please start again, and stay in one browser until the end.",
        )
    }

    fn not_our_form() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Not connected",
            "The form was not sent from our own page. Nothing was connected.",
            "Open the link again, and use the button on the page.",
        )
    }

    fn broken_form() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "Not connected",
            "The form was not complete. Nothing was connected.",
            "Open the link again.",
        )
    }

    fn answer(&self, state: &ApiState) -> Response {
        let [happened, to_do] = &self.text;
        let mut page = Page::new(self.status, self.sign, self.title, happened);
        page.text.push(to_do);
        if self.leads_to_sign_in {
            page.link = Some(Link {
                to: SIGN_IN,
                words: "Sign in as somebody else",
                is_main: true,
            });
        }
        page.answer(state)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = error.status();
        let (happened, to_do) = match status {
            StatusCode::NOT_FOUND => (
                "There is no such provider.",
                "Look at the address again: a part of it may be missing.",
            ),
            StatusCode::CONFLICT => (
                "This provider cannot be connected here yet.",
                "Whoever runs this service has to set it up.",
            ),
            _ => return Self::our_fault(status),
        };
        Self::new(status, "Not connected", happened, to_do)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::our_fault(ApiError::from(error).status())
    }
}

/// Where the provider sends the browser back to. From the configuration only: a `Host` header could
/// send the code elsewhere.
fn callback_url(options: &ApiOptions, provider: ProviderName) -> String {
    format!(
        "{}/v1/integrations/{provider}/callback",
        options.public_url.trim_end_matches('/')
    )
}

/// The origin of the provider's pages.
fn origin(provider: &dyn Provider) -> Option<String> {
    let departure = Departure {
        state: "x",
        callback: "x",
        verifier: &Secret::new("x"),
    };
    let home = Url::parse(&provider.authorize_url(&departure)?).ok()?;
    Some(home.origin().ascii_serialization())
}

/// The page that the provider wants the browser to go on to. Only one of the provider itself: anybody
/// can write the address of a callback.
fn provider_page(provider: &dyn Provider, next: Option<&str>) -> Option<String> {
    same_origin(&origin(provider)?, next?).map(String::from)
}
