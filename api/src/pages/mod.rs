//! The pages that a browser sees on its way: signing in and connecting a provider. No scripts, nothing
//! from elsewhere.

mod layout;
pub(crate) mod redirect;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use keyway_shared::crypto::tokens::random_token;

use crate::state::ApiState;

/// What a page is about, shown as its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It worked.
    Done,
    /// It did not.
    Failed,
    /// Somebody has to say something.
    Question,
    /// Neither: it is as somebody wanted it, or there is something to know.
    Notice,
}

/// A line that somebody fills in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    /// Shown greyed until something is typed.
    pub(crate) example: &'a str,
    /// Whether what is typed is hidden.
    pub(crate) is_secret: bool,
}

/// What a page asks for: an address of ours that a form is sent to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form<'a> {
    pub(crate) action: &'a str,
    pub(crate) hidden: Vec<(&'a str, &'a str)>,
    pub(crate) fields: Vec<Field<'a>>,
    /// What the button says.
    pub(crate) submit: &'a str,
    /// What a second, quieter button says. The field `decision` tells which one it was: `approve` or
    /// `deny`.
    pub(crate) refuse: Option<&'a str>,
    /// Origin that the answer to the form may send the browser on to: browsers hold a form's whole way
    /// against the policy.
    pub(crate) leads_to: Option<&'a str>,
}

/// Another page to go to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) to: &'a str,
    pub(crate) words: &'a str,
    /// Whether that is what most will want: it looks like a button then.
    pub(crate) is_main: bool,
}

/// A page. Its texts may come from a provider or a stranger.
#[derive(Debug, Clone)]
pub(crate) struct Page<'a> {
    pub(crate) status: StatusCode,
    pub(crate) sign: Sign,
    pub(crate) title: &'a str,
    /// One paragraph each.
    pub(crate) text: Vec<&'a str>,
    /// Something to be compared with what is shown elsewhere.
    pub(crate) code: Option<&'a str>,
    /// What is known of the matter: name and value.
    pub(crate) facts: Vec<(&'a str, &'a str)>,
    /// What nobody should overlook before they go on.
    pub(crate) warning: Option<&'a str>,
    pub(crate) form: Option<Form<'a>>,
    pub(crate) link: Option<Link<'a>>,
}

impl<'a> Page<'a> {
    /// A page that only tells something.
    pub(crate) fn new(status: StatusCode, sign: Sign, title: &'a str, text: &'a str) -> Self {
        Self {
            status,
            sign,
            title,
            text: vec![text],
            code: None,
            facts: Vec::new(),
            warning: None,
            form: None,
            link: None,
        }
    }

    /// The answer.
    pub(crate) fn answer(&self, state: &ApiState) -> Response {
        let nonce = random_token(&state.ambient);
        let nonce = nonce.expose();
        let mut response = (self.status, Html(layout::render(self, nonce))).into_response();
        let forms = match &self.form {
            None => "'none'".to_owned(),
            Some(form) => match form.leads_to {
                None => "'self'".to_owned(),
                Some(origin) => format!("'self' {origin}"),
            },
        };
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action {forms}; \
             frame-ancestors 'none'"
        );
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        private(&mut response);
        // Without it, a browser names no origin with a form, and then nothing tells whose form it is.
        if self.form.is_some() {
            response.headers_mut().insert(
                header::REFERRER_POLICY,
                HeaderValue::from_static("same-origin"),
            );
        }
        response
    }
}

/// Marks an answer as one that is not kept and that tells nobody where the browser was: the address
/// bore a code.
pub(crate) fn private(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// The browser is sent on.
pub(crate) fn send_to(address: &str) -> Option<Response> {
    let location = HeaderValue::from_str(address).ok()?;
    let mut response = (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    private(&mut response);
    Some(response)
}
