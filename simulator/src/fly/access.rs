//! Tokens: how they are sent, and what they reach.

use super::call::Call;
use super::model::Token;
use super::options::Options;
use super::reply::{Refusal, not_found, refusal};
use super::state::State;

/// Beginnings of macaroons; other tokens are opaque.
const MACAROON: [&str; 3] = ["fm1r_", "fm1a_", "fm2_"];

/// The tokens of a call: a bundle may have several, with what discharges them.
pub(super) fn sign_in(state: &State, call: &Call) -> Result<Vec<Token>, Refusal> {
    let header = call.authorization.as_deref().unwrap_or_default();
    let sent = bundle(header, &state.options).unwrap_or_default();
    let now = state.now();
    let found = state.tokens.iter().filter(|token| {
        let alive = token.expires_at.is_none_or(|end| now < end);
        alive && token.parts.iter().all(|part| sent.contains(&part.as_str()))
    });
    let found: Vec<Token> = found.cloned().collect();
    if found.is_empty() {
        return Err(refusal(401, "unauthorized"));
    }
    Ok(found)
}

/// The parts that a header has, where its scheme fits them.
fn bundle<'a>(header: &'a str, options: &Options) -> Option<Vec<&'a str>> {
    let (scheme, mut token) = header.split_once(' ')?;
    let bearer = scheme.eq_ignore_ascii_case("bearer");
    if bearer {
        // Tokens are handed out with their scheme, and the documentation's examples put `Bearer`
        // before them as they are.
        token = token.strip_prefix("FlyV1 ").unwrap_or(token);
    } else if scheme != "FlyV1" {
        return None;
    }
    let parts: Vec<&str> = token.split(',').map(str::trim).collect();
    let of_macaroons = parts
        .iter()
        .any(|part| MACAROON.iter().any(|start| part.starts_with(start)));
    let fits = if bearer {
        !of_macaroons || options.bearer_macaroons
    } else {
        of_macaroons
    };
    fits.then_some(parts)
}

/// The app that a call is about, if its tokens reach it and may do that.
pub(super) fn app(
    state: &State,
    tokens: &[Token],
    call: &Call,
    name: &str,
) -> Result<usize, Refusal> {
    // UNCERTAIN: that an app of others is told from one that is not there.
    let index = state.app(name).ok_or_else(|| not_found("app"))?;
    let app = &state.apps[index];
    let mut reaching = tokens
        .iter()
        .filter(|token| {
            let grant = &token.grant;
            let apps = grant.apps.as_ref();
            grant.organization == app.organization
                && apps.is_none_or(|apps| apps.contains(&app.name))
        })
        .peekable();
    if reaching.peek().is_none() {
        let status = state.options.out_of_reach_status;
        return Err(refusal(status, "the token has no access to this app"));
    }
    if !call.is_read() && reaching.all(|token| token.grant.read_only) {
        return Err(refusal(403, "the token may only read"));
    }
    Ok(index)
}
