//! What a page looks like.

use std::fmt::Write;

use super::{Form, Page, Sign};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#16181d;--soft:#5b6270;--line:#e3e6ec;--card:#fff;--ground:#f4f5f8;\
--accent:#1f5eff;--on:#fff;--good:#12805c;--bad:#b3261e;--warn:#9a6700;--warned:#fff8e6}\
@media(prefers-color-scheme:dark){:root{--ink:#eceef2;--soft:#a0a7b5;--line:#2c303a;--card:#1a1d24;\
--ground:#101216;--accent:#6c95ff;--on:#0d1020;--good:#4cc79a;--bad:#ff8a80;--warn:#e3b341;--warned:#262113}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;\
justify-content:center;padding:2rem 1rem;background:var(--ground);color:var(--ink);\
font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
main{width:100%;max-width:29rem;background:var(--card);border:1px solid var(--line);border-radius:14px;\
padding:2rem 2rem 1.75rem;box-shadow:0 1px 2px rgb(0 0 0/.04),0 8px 24px rgb(0 0 0/.06)}\
.brand{display:flex;align-items:center;gap:.5rem;margin-bottom:1.25rem;font-weight:600;letter-spacing:.01em;\
color:var(--soft)}.brand svg{width:1.25rem;height:1.25rem}\
.sign{width:2.75rem;height:2.75rem;margin-bottom:.75rem}.done{color:var(--good)}.failed{color:var(--bad)}\
.question,.notice{color:var(--accent)}h1{margin:0 0 .5rem;font-size:1.3rem;line-height:1.3}\
p{margin:.6rem 0;color:var(--soft);overflow-wrap:anywhere}h1+p{color:var(--ink)}\
.warning{margin:1.25rem 0 0;padding:.7rem .9rem;border-left:3px solid var(--warn);border-radius:0 9px 9px 0;\
background:var(--warned);color:var(--ink);font-size:.92rem}\
.code{margin:1.25rem 0;padding:.75rem;border:1px dashed var(--line);border-radius:10px;text-align:center;\
font:600 1.4rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;letter-spacing:.12em;color:var(--ink)}\
dl{margin:1.25rem 0 0;padding:.75rem .9rem;display:grid;grid-template-columns:auto 1fr;gap:.4rem 1.25rem;\
border:1px solid var(--line);border-radius:10px;background:var(--ground);font-size:.92rem}\
dt{color:var(--soft)}dd{margin:0;font-weight:600;overflow-wrap:anywhere}\
form{margin-top:1.25rem}label{display:block;margin-bottom:.9rem;font-size:.92rem;color:var(--soft)}\
input{width:100%;margin-top:.3rem;padding:.65rem .75rem;border:1px solid var(--line);border-radius:9px;\
background:var(--ground);color:var(--ink);font:inherit}\
button{width:100%;padding:.7rem 1rem;border:1px solid transparent;border-radius:9px;background:var(--accent);\
color:var(--on);font:inherit;font-weight:600;cursor:pointer}\
button.quiet{margin-top:.6rem;background:transparent;border-color:var(--line);color:var(--ink)}\
a{color:var(--accent)}a.main{display:block;margin-top:1.25rem;padding:.7rem 1rem;border-radius:9px;\
background:var(--accent);color:var(--on);font-weight:600;text-align:center;text-decoration:none}\
a.aside{display:block;margin-top:1rem;font-size:.92rem;text-align:center;overflow-wrap:anywhere}\
input:focus-visible,button:focus-visible,a:focus-visible{outline:3px solid var(--accent);outline-offset:2px}";

const KEY: &str = "<svg viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" \
stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\">\
<circle cx=\"8\" cy=\"15\" r=\"4\"/><path d=\"M11 12 20 3m-3 3 3 3m-6 0 2 2\"/></svg>";

impl Sign {
    const fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Question => "question",
            Self::Notice => "notice",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Done => "<path d=\"m8 12.5 2.7 2.7L16 9.5\"/>",
            Self::Failed => "<path d=\"m9 9 6 6m0-6-6 6\"/>",
            Self::Question => {
                "<path d=\"M9.6 9.4a2.5 2.5 0 1 1 3.6 2.6c-.8.4-1.2.9-1.2 1.7M12 16.6v.1\"/>"
            }
            Self::Notice => "<path d=\"M12 11.2v5M12 7.6v.1\"/>",
        }
    }
}

/// The whole document. Writing to a text cannot fail.
pub(super) fn render(page: &Page<'_>, nonce: &str) -> String {
    let title = escape(page.title);
    let (class, path) = (page.sign.class(), page.sign.path());
    let mut body = format!(
        "<svg class=\"sign {class}\" viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" \
         stroke-width=\"1.8\" stroke-linecap=\"round\" stroke-linejoin=\"round\" \
         aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"9\"/>{path}</svg><h1>{title}</h1>"
    );
    for text in &page.text {
        let _ = write!(body, "<p>{}</p>", escape(text));
    }
    if let Some(code) = page.code {
        let _ = write!(body, "<div class=\"code\">{}</div>", escape(code));
    }
    if !page.facts.is_empty() {
        body += "<dl>";
        for (name, value) in &page.facts {
            let _ = write!(body, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
        }
        body += "</dl>";
    }
    if let Some(warning) = page.warning {
        let _ = write!(body, "<p class=\"warning\">{}</p>", escape(warning));
    }
    if let Some(form) = &page.form {
        body += &rendered(form);
    }
    if let Some(link) = &page.link {
        let class = if link.is_main { "main" } else { "aside" };
        let _ = write!(
            body,
            "<a class=\"{class}\" href=\"{}\">{}</a>",
            escape(link.to),
            escape(link.words)
        );
    }
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title} · Keyway</title><style nonce=\"{nonce}\">{STYLE}</style></head>\
         <body><main><div class=\"brand\">{KEY}Keyway</div>{body}</main></body></html>\n"
    )
}

fn rendered(form: &Form<'_>) -> String {
    let mut html = format!("<form method=\"post\" action=\"{}\">", escape(form.action));
    for (name, value) in &form.hidden {
        let _ = write!(
            html,
            "<input type=\"hidden\" name=\"{}\" value=\"{}\">",
            escape(name),
            escape(value)
        );
    }
    for field in &form.fields {
        let kind = if field.is_secret { "password" } else { "text" };
        let _ = write!(
            html,
            "<label>{}<input type=\"{kind}\" name=\"{}\" placeholder=\"{}\" autocomplete=\"off\" \
             autocapitalize=\"off\" spellcheck=\"false\" required></label>",
            escape(field.label),
            escape(field.name),
            escape(field.example)
        );
    }
    let decision = match form.refuse {
        Some(_) => " name=\"decision\" value=\"approve\"",
        None => "",
    };
    let _ = write!(
        html,
        "<button type=\"submit\"{decision}>{}</button>",
        escape(form.submit)
    );
    if let Some(words) = form.refuse {
        let _ = write!(
            html,
            "<button class=\"quiet\" type=\"submit\" name=\"decision\" value=\"deny\" \
             formnovalidate>{}</button>",
            escape(words)
        );
    }
    html + "</form>"
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::super::{Field, Link};
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(
            escape("<img src=\"x\" onerror='y'>&"),
            "&lt;img src=&quot;x&quot; onerror=&#39;y&#39;&gt;&amp;"
        );
    }

    #[test]
    fn every_text_of_a_page_is_escaped() {
        let evil = "\"><script>";
        let mut page = Page::new(StatusCode::OK, Sign::Question, evil, evil);
        page.code = Some(evil);
        page.facts = vec![(evil, evil)];
        page.warning = Some(evil);
        page.form = Some(Form {
            action: evil,
            hidden: vec![(evil, evil)],
            fields: vec![Field {
                name: evil,
                label: evil,
                example: evil,
                is_secret: true,
            }],
            submit: evil,
            refuse: Some(evil),
            leads_to: None,
        });
        page.link = Some(Link {
            to: evil,
            words: evil,
            is_main: true,
        });
        let html = render(&page, "nonce");
        assert!(!html.contains("<script"));
        assert!(!html.contains(evil));
    }
}
