//! GraphQL over HTTP: an operation is held against the vendor's schema, run, and its errors are told
//! as Railway tells them.

use std::cell::RefCell;
use std::sync::LazyLock;

use apollo_compiler::parser::SourceMap;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::{Value, json};

use super::model::Token;
use super::paging::{self, Page};
use super::state::State;
use super::{mutation, objects, query};

/// No access, a bad token, or nothing there.
pub(super) const NOT_AUTHORIZED: &str = "Not Authorized";
/// An id that is none, or a null where none may be.
pub(super) const PROBLEM: &str = "Problem processing request";
/// A map of variables whose values are not all text.
pub(super) const NOT_VARIABLES: &str = "EnvironmentVariables must be a map of strings";
/// What the vendor has and the stand-in does not.
const NOT_SIMULATED: &str = "The simulator does not simulate ";

const SDL: &str = include_str!("schema.graphql");

static SCHEMA: LazyLock<Valid<Schema>> = LazyLock::new(|| schema(SDL));

/// With what third parties send to `environmentPatchCommit`.
static SCHEMA_WITH_SKIP: LazyLock<Valid<Schema>> = LazyLock::new(|| {
    schema(&SDL.replace(
        "patch: EnvironmentConfig): String!",
        "patch: EnvironmentConfig, skipDeploys: Boolean): String!",
    ))
});

#[expect(clippy::expect_used, reason = "it is a part of the program")]
fn schema(text: &str) -> Valid<Schema> {
    Schema::parse_and_validate(text, "schema.graphql").expect("the schema is valid")
}

/// An operation that fits the schema.
pub(super) struct Operation {
    schema: &'static Valid<Schema>,
    document: Valid<ExecutableDocument>,
    name: Option<String>,
    variables: Valid<JsonMap>,
    /// What it asks for, by the schema's names.
    pub(super) fields: Vec<String>,
}

/// Errors that have no data beside them.
pub(super) type Invalid = Vec<Value>;

impl Operation {
    /// Parses and validates a request's body.
    pub(super) fn parse(body: &[u8], commit_skips_deploys: bool) -> Result<Self, Invalid> {
        let bad = |message: &str| vec![with_code(json!({ "message": message }), "BAD_USER_INPUT")];
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = body["query"].as_str();
        let text = text.ok_or_else(|| bad("Must provide query string."))?;
        let schema = if commit_skips_deploys {
            &*SCHEMA_WITH_SKIP
        } else {
            &*SCHEMA
        };
        let document = ExecutableDocument::parse_and_validate(schema, text, "operation.graphql")
            .map_err(|invalid| {
                let errors = invalid.errors.iter();
                let told = errors.map(|error| tell(&error.unstable_to_json_compat()));
                told.map(|error| with_code(error, "GRAPHQL_VALIDATION_FAILED"))
                    .collect::<Vec<_>>()
            })?;
        let name = body["operationName"].as_str().map(str::to_owned);
        let of_request = |error: &apollo_compiler::request::RequestError, sources: &SourceMap| {
            let told = tell(&error.to_graphql_error(sources));
            vec![with_code(told, "BAD_USER_INPUT")]
        };
        let operation = document
            .operations
            .get(name.as_deref())
            .map_err(|error| of_request(&error, &document.sources))?;
        let given = match &body["variables"] {
            Value::Null => JsonMap::new(),
            variables => serde_json::from_value(variables.clone())
                .map_err(|_| bad("Variables must be an object."))?,
        };
        let variables = coerce_variable_values(schema, operation, &given)
            .map_err(|error| of_request(&error, &document.sources))?;
        let fields = operation
            .root_fields(&document)
            .map(|field| field.name.to_string())
            .collect();
        Ok(Self {
            schema,
            document,
            name,
            variables,
            fields,
        })
    }

    fn introspects(&self) -> bool {
        let meta = |field: &String| field == "__schema" || field == "__type";
        self.fields.iter().any(meta)
    }

    /// Does what it says.
    pub(super) fn run(&self, state: &mut State, token: Option<Token>) -> Value {
        let may_introspect = token.is_some() || state.options.open_introspection;
        if self.introspects() && !may_introspect {
            let error = json!({ "message": NOT_AUTHORIZED });
            let errors = vec![finish(state, false, error)];
            return json!({ "errors": errors, "data": Value::Null });
        }
        let signed_in = token.is_some();
        let session = Session {
            state: RefCell::new(state),
            token,
        };
        let run = Execution::new(self.schema, &self.document)
            .operation_name(self.name.as_deref())
            .and_then(|execution| {
                let operation = self.document.operations.get(self.name.as_deref())?;
                let root = Object {
                    session: &session,
                    type_name: operation.object_type().to_string(),
                    node: Node::Root,
                };
                execution
                    .coerced_variable_values(&self.variables)
                    .enable_schema_introspection(may_introspect)
                    .execute_sync(&root)
            });
        match run {
            Ok(response) => {
                let mut body = json!({ "data": response.data });
                let told = response.errors.iter().map(tell);
                let errors: Vec<Value> = told
                    .map(|error| finish(&mut session.state.borrow_mut(), signed_in, error))
                    .collect();
                if !errors.is_empty() {
                    body["errors"] = json!(errors);
                }
                body
            }
            Err(error) => {
                let told = tell(&error.to_graphql_error(&self.document.sources));
                json!({ "errors": [with_code(told, "BAD_USER_INPUT")] })
            }
        }
    }
}

/// The errors of an operation that does not fit the schema.
pub(super) fn refusal(state: &mut State, errors: Invalid) -> Value {
    let errors: Vec<Value> = errors
        .into_iter()
        .map(|error| with_trace(state, error))
        .collect();
    json!({ "errors": errors })
}

fn tell(error: &GraphQLError) -> Value {
    let mut told = json!({ "message": error.message });
    if !error.locations.is_empty() {
        told["locations"] = json!(error.locations);
    }
    if !error.path.is_empty() {
        told["path"] = json!(error.path);
    }
    told
}

fn with_code(mut error: Value, code: &str) -> Value {
    error["extensions"] = json!({ "code": code });
    error
}

fn with_trace(state: &mut State, mut error: Value) -> Value {
    error["traceId"] = json!(state.opaque("simulated-trace-"));
    error
}

/// The code of an error that a field ended with, and its trace.
fn finish(state: &mut State, signed_in: bool, mut error: Value) -> Value {
    let message = error["message"].as_str().unwrap_or_default().to_owned();
    // Ours come with the executor's own words before them.
    if let Some(ours) = message.strip_prefix("resolver error: ") {
        error["message"] = json!(ours);
    } else if message.starts_with("non-null type") {
        error["message"] = if state.options.opaque_nulls {
            json!(PROBLEM)
        } else {
            json!("Cannot return null for non-nullable field.")
        };
    }
    let code = match error["message"].as_str().unwrap_or_default() {
        PROBLEM => None,
        NOT_AUTHORIZED if state.options.precise_codes && signed_in => Some("FORBIDDEN"),
        NOT_AUTHORIZED if state.options.precise_codes => Some("UNAUTHENTICATED"),
        NOT_VARIABLES => Some("BAD_USER_INPUT"),
        text if text.starts_with(NOT_SIMULATED) => Some("NOT_SIMULATED"),
        _ => Some("INTERNAL_SERVER_ERROR"),
    };
    if let Some(code) = code {
        error = with_code(error, code);
    }
    with_trace(state, error)
}

/// One call's view of the state.
pub(super) struct Session<'s> {
    pub(super) state: RefCell<&'s mut State>,
    pub(super) token: Option<Token>,
}

/// Something that has fields.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Root,
    User,
    Workspace(String),
    ExternalWorkspace(String),
    ApiTokenContext,
    ApiTokenWorkspace(String),
    /// Of an owner of tokens.
    ApiTokenRateLimit(String),
    ProjectToken,
    Project(String),
    Environment(String),
    Service(String),
    /// Environment and service.
    ServiceInstance(String, String),
    ServiceSource(String),
    /// Environment and service.
    DeploymentTrigger(String, String),
    Deployment(String),
    Variable(super::Target, String),
    /// What an environment has staged.
    EnvironmentPatch(String),
    Connection(Page),
    /// Cursor and what it points to.
    Edge(String, Box<Self>),
    PageInfo(Page),
}

/// What a field is.
pub(super) enum Found {
    Leaf(Value),
    Node(Node),
    List(Vec<Node>),
    /// A list that is given in pages.
    Connection(Vec<Node>),
}

/// A message is what is left of an error on its way out.
pub(super) type FieldResult = Result<Found, String>;

#[expect(clippy::unnecessary_wraps, reason = "fields end with it")]
pub(super) fn leaf(value: impl Into<Value>) -> FieldResult {
    Ok(Found::Leaf(value.into()))
}

pub(super) fn not_simulated(what: &str) -> FieldResult {
    Err(format!("{NOT_SIMULATED}{what}"))
}

struct Object<'a> {
    session: &'a Session<'a>,
    type_name: String,
    node: Node,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let arguments = serde_json::to_value(info.arguments()).unwrap_or_default();
        let name = info.field_name();
        let found = match (&self.node, self.type_name.as_str()) {
            (Node::Root, "Mutation") => mutation::field(self.session, name, &arguments),
            (Node::Root, _) => query::field(self.session, name, &arguments),
            (node, _) => objects::field(self.session, node, name, &arguments),
        };
        let declared = info.field_definition().ty.inner_named_type();
        let object = |node: Node| {
            ResolvedValue::object(Object {
                session: self.session,
                type_name: declared.to_string(),
                node,
            })
        };
        let found = found.map_err(|message| FieldError { message })?;
        Ok(match found {
            Found::Leaf(Value::Array(items)) if info.field_definition().ty.is_list() => {
                ResolvedValue::list(items.into_iter().map(ResolvedValue::leaf))
            }
            Found::Leaf(value) => ResolvedValue::leaf(value),
            Found::Node(node) => object(node),
            Found::List(nodes) => ResolvedValue::List(Box::new(
                nodes.into_iter().map(move |node| Ok(object(node))),
            )),
            Found::Connection(nodes) => {
                let size = self.session.state.borrow().options.page_size;
                let page = paging::page(nodes, &arguments, size)
                    .map_err(|message| FieldError { message })?;
                object(Node::Connection(page))
            }
        })
    }
}
