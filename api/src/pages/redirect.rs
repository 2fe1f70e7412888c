//! Which addresses a browser may be sent to.

use url::Url;

use crate::options::ApiOptions;

/// The address, when its origin is one of those that are allowed, or our own. Read as browsers read
/// it, and given back as it was read, so that it cannot mean something else to them.
pub(crate) fn allowed(options: &ApiOptions, address: &str) -> Option<Url> {
    let url = web_address(address)?;
    let origin = url.origin().ascii_serialization();
    let own = web_address(&options.public_url).map(|own| own.origin().ascii_serialization());
    let listed = options.redirect_origins.contains(&origin);
    (listed || own.is_some_and(|own| own == origin)).then_some(url)
}

/// The address, when it has the origin of `page`.
pub(crate) fn same_origin(page: &str, address: &str) -> Option<Url> {
    let (page, url) = (web_address(page)?, web_address(address)?);
    (page.origin() == url.origin()).then_some(url)
}

/// An address of the web, without a user's name in it: that only serves to deceive.
fn web_address(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    plain.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_pass() {
        let options = ApiOptions {
            public_url: "https://keyway.example.com".to_owned(),
            redirect_origins: vec!["https://app.example.com".to_owned()],
            ..ApiOptions::default()
        };
        for good in [
            "https://app.example.com",
            "https://app.example.com/done?x=1",
            "https://app.example.com:443/done",
            "https://keyway.example.com/docs",
        ] {
            assert!(allowed(&options, good).is_some(), "{good}");
        }
        for bad in [
            "http://app.example.com/",
            "https://app.example.com:8443/",
            "https://app.example.com.evil.com/",
            "https://app.example.com@evil.com/",
            "https://user@app.example.com/",
            "https://evil.com\\@app.example.com/",
            "https://evil.com/https://app.example.com",
            "//app.example.com/",
            "/done",
            "javascript:alert(1)",
            "data:text/html,x",
            "",
        ] {
            assert!(allowed(&options, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn next_stays_with_the_provider() {
        let page = "https://vercel.com/integrations/x/new?state=s";
        assert!(same_origin(page, "https://vercel.com/done").is_some());
        assert!(same_origin(page, "https://vercel.com.evil.com/done").is_none());
    }
}
