//! What the OpenAPI document holds besides the operations: its head, the security scheme and the
//! error answers that operations share.
//!
//! An operation lists its groups: `responses((status = 200, …), Guarded, Missing, Body)`.

use std::collections::BTreeMap;

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, Ref, RefOr,
    Required, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::error::Problem;

/// Name of the security scheme.
const BEARER: &str = "bearer";
/// Name of that of links, which cannot bear a header.
const TICKET: &str = "ticket";
/// What pages are.
const PAGE: &str = "text/html";

/// Name, status and meaning of the shared error answers.
const ERRORS: &[(&str, &str, &str)] = &[
    ("BadRequest", "400", "The request is not well formed."),
    ("Unauthorized", "401", "No valid token was sent."),
    (
        "Forbidden",
        "403",
        "The API key lacks a scope, or the user's role in the vault is not enough.",
    ),
    ("NotFound", "404", "There is none, or it is not yours."),
    ("Conflict", "409", "Something else stands against it."),
    ("PayloadTooLarge", "413", "The body is too long."),
    ("UnsupportedMediaType", "415", "The body is not JSON."),
    (
        "ValidationError",
        "422",
        "A field does not fit; `errors` names it.",
    ),
    (
        "RateLimited",
        "429",
        "Too many requests; see `Retry-After`.",
    ),
    ("Internal", "500", "A fault of ours; the text is constant."),
    (
        "ProviderError",
        "502",
        "The provider did not do what was asked.",
    ),
    (
        "Unavailable",
        "503",
        "It cannot be answered right now; see `Retry-After`.",
    ),
];

/// An OpenAPI document without operations.
pub(crate) fn base() -> OpenApi {
    let mut components = ComponentsBuilder::new().security_scheme(
        BEARER,
        SecurityScheme::Http(
            Http::builder()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("API key or session")
                .description(Some(
                    "An API key, `kw_live_…` or `kw_test_…`, or the token of a session. Keys carry \
                     scopes: `read:secrets`, `write:secrets`, `delete:secrets`, `admin:api-keys`; a \
                     session may do what its user may.",
                ))
                .build(),
        ),
    );
    components = components.security_scheme(
        TICKET,
        SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
            "ticket",
            "Works once, for two minutes: see `authorize-ticket`.",
        ))),
    );
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    for (name, _, description) in ERRORS {
        components = components.response(*name, problem(description));
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Keyway Integrations")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Keeps the secrets of a repository in step with its hosting providers.\n\nA \
                     success is `{\"data\": …, \"meta\": {\"requestId\": …}}`, an error a problem \
                     document (RFC 9457) with a stable `code`.",
                ))
                .license(Some(License::new("Apache-2.0")))
                .build(),
        )
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(
            BEARER,
            Vec::<String>::new(),
        )]))
        .build()
}

/// Completes a document: every answer must have a description, also one that its body's describes
/// well enough.
pub(crate) fn complete(mut openapi: OpenApi) -> OpenApi {
    for item in openapi.paths.paths.values_mut() {
        if let Some(post) = &mut item.post {
            takes_a_key(post);
        }
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            tells_browsers(operation);
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    let text = match status.as_str() {
                        "201" => "Created.",
                        "202" => "Accepted.",
                        "204" => "Done.",
                        _ => "OK.",
                    };
                    text.clone_into(&mut response.description);
                }
            }
        }
    }
    openapi
}

/// What answers with pages refuses with pages as well, or with a problem, whoever notices first.
fn tells_browsers(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let has_pages = responses.values().any(|response| match response {
        RefOr::T(response) => response.content.contains_key(PAGE),
        RefOr::Ref(_) => false,
    });
    if !has_pages {
        return;
    }
    for (status, response) in responses {
        if !status.starts_with('4') {
            continue;
        }
        let description = match response {
            RefOr::T(response) => std::mem::take(&mut response.description),
            RefOr::Ref(_) => {
                let known = ERRORS.iter().find(|(_, known, _)| known == status);
                known.map_or("", |(.., description)| description).to_owned()
            }
        };
        let mut both = problem(&description);
        let text = ObjectBuilder::new().schema_type(Type::String);
        let page = ContentBuilder::new().schema(Some(text)).build();
        both.content.insert(PAGE.to_owned(), RefOr::T(page));
        *response = RefOr::T(both);
    }
}

/// Every POST takes an `Idempotency-Key`, and may be refused for it.
fn takes_a_key(post: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "1 to 255 characters of your choice. For 24 hours the same request with the same key has \
             its effect once: a sync gives the same job, any other the same answer (409 when that bore \
             a secret, or is still on its way). Another request with it is 409 `idempotency-mismatch`.",
        ))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .min_length(Some(1))
                .max_length(Some(255)),
        ))
        .build();
    post.parameters.get_or_insert_default().push(RefOr::T(key));
    for (status, response) in shared(&["400", "409"]) {
        post.responses.responses.entry(status).or_insert(response);
    }
}

fn problem(description: &str) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        )
        .build()
}

fn shared(statuses: &[&str]) -> BTreeMap<String, RefOr<Response>> {
    ERRORS
        .iter()
        .filter(|(_, status, _)| statuses.contains(status))
        .map(|(name, status, _)| {
            let reference = RefOr::Ref(Ref::from_response_name(*name));
            ((*status).to_owned(), reference)
        })
        .collect()
}

/// Declares groups of shared error answers.
macro_rules! groups {
    ($($(#[$meta:meta])* $name:ident: $($status:literal),+;)+) => {$(
        $(#[$meta])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                shared(&[$($status),+])
            }
        }
    )+};
}

groups! {
    /// Any operation, even an open one.
    Open: "429", "500", "503";
    /// An operation for callers with a token.
    Guarded: "401", "403", "429", "500", "503";
    /// The request is not possible as it stands.
    Malformed: "400";
    /// A body that is signed by whoever sends it.
    Signed: "400", "401", "413";
    /// The path or the query names something that may not be there.
    Missing: "404";
    /// There is a query that may not fit.
    Invalid: "422";
    /// There is a JSON body.
    Body: "400", "413", "415", "422";
    /// Something may stand against it.
    Conflicting: "409";
    /// A provider is asked.
    Outside: "502";
}
