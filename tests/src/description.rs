//! A vendor's published description of its API, and whether a request, or a simulator's answer, keeps
//! to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use keyway_simulator::RequestRecord;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

/// What our client sends although no description has it: the call, the query parameter, and why.
const BEYOND: &[(&str, &str, &str)] = &[(
    "filterProjectEnvs",
    "until",
    "the answer has a `pagination.next`, and no parameter to go there is described; the vendor's \
     Terraform provider sends it as `until`",
)];

/// The calls of an API.
#[derive(Debug)]
pub struct Description {
    operations: Vec<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    /// By status, or `default`; none for an answer without a body.
    #[serde(default)]
    answers: BTreeMap<String, Option<Schema>>,
}

#[derive(Debug, Deserialize)]
struct Parameter {
    name: String,
    #[serde(rename = "in")]
    place: Place,
    required: bool,
    schema: Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Path,
    Query,
}

#[derive(Debug, Deserialize)]
struct Body {
    required: bool,
    content: BTreeMap<String, Schema>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
struct Schema(Validator);

impl TryFrom<Value> for Schema {
    type Error = String;

    fn try_from(schema: Value) -> Result<Self, String> {
        let made = jsonschema::draft202012::new(&schema);
        made.map(Self).map_err(|error| error.to_string())
    }
}

/// Where a request leaves the description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The call's name in the description, or its method and path when it is not described.
    pub operation: String,
    /// The part of the request.
    pub place: String,
    /// Where the description says so, in the schema of that part; empty when it says nothing.
    pub schema_path: String,
    /// What is wrong. It repeats no value.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            place,
            schema_path,
            problem,
        } = self;
        write!(f, "{operation}, {place}: {problem}")?;
        if !schema_path.is_empty() {
            write!(f, " (schema {schema_path})")?;
        }
        Ok(())
    }
}

/// Parameters of one kind, by name.
type Given = Vec<(String, String)>;

impl Description {
    /// Vercel's, of the calls that our client makes.
    ///
    /// # Panics
    /// When what is committed is not a description.
    pub fn vercel() -> &'static Self {
        static VERCEL: LazyLock<Description> = LazyLock::new(|| {
            Description::parse(include_str!("../description/vercel.json"))
                .expect("tests/description/vercel.json is a description")
        });
        &VERCEL
    }

    /// Netlify's, of the calls that its simulator answers.
    ///
    /// # Panics
    /// When what is committed is not a description.
    pub fn netlify() -> &'static Self {
        static NETLIFY: LazyLock<Description> = LazyLock::new(|| {
            Description::parse(include_str!("../description/netlify.json"))
                .expect("tests/description/netlify.json is a description")
        });
        &NETLIFY
    }

    /// Fly.io's, of the calls of the Machines API that its simulator answers.
    ///
    /// # Panics
    /// When what is committed is not a description.
    pub fn fly() -> &'static Self {
        static FLY: LazyLock<Description> = LazyLock::new(|| {
            Description::parse(include_str!("../description/fly.json"))
                .expect("tests/description/fly.json is a description")
        });
        &FLY
    }

    /// Reads what `slim.py` wrote.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct File {
            operations: Vec<Operation>,
        }
        let File { operations } = serde_json::from_str(text)?;
        Ok(Self { operations })
    }

    /// What is wrong with a request; nothing, as a rule.
    pub fn check(&self, request: &RequestRecord) -> Vec<Violation> {
        let (operation, path) = match self.find(&request.method, &request.path) {
            Ok(found) => found,
            Err(violation) => return vec![violation],
        };
        let mut check = Check {
            operation,
            violations: Vec::new(),
        };
        check.parameters(Place::Path, &path);
        let query: Given = form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        check.parameters(Place::Query, &query);
        check.body(request);
        check.violations
    }

    /// What is wrong with the answer to a call; nothing, as a rule. `body` is none where there are no
    /// bytes.
    pub fn check_answer(
        &self,
        method: &str,
        path: &str,
        status: u16,
        body: Option<&Value>,
    ) -> Vec<Violation> {
        let operation = match self.find(method, path) {
            Ok((operation, _)) => operation,
            Err(violation) => return vec![violation],
        };
        let mut check = Check {
            operation,
            violations: Vec::new(),
        };
        check.answer(status, body);
        check.violations
    }

    /// The call that a method and a path are of, with the values of the path's parameters.
    fn find(&self, method: &str, path: &str) -> Result<(&Operation, Given), Violation> {
        let segments: Vec<&str> = path.split('/').collect();
        self.operations
            .iter()
            .filter(|operation| operation.method == method)
            .find_map(|operation| Some((operation, operation.match_path(&segments)?)))
            .ok_or_else(|| Violation {
                operation: format!("{method} {path}"),
                place: "path".to_owned(),
                schema_path: String::new(),
                problem: "this call is not described".to_owned(),
            })
    }
}

impl Operation {
    /// The values of the path's parameters, when the path is of this call.
    fn match_path(&self, segments: &[&str]) -> Option<Given> {
        let template: Vec<&str> = self.path.split('/').collect();
        if template.len() != segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (expected, segment) in template.into_iter().zip(segments) {
            let name = expected
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            match name {
                Some(name) if !segment.is_empty() => {
                    let value = percent_decode_str(segment).decode_utf8_lossy();
                    values.push((name.to_owned(), value.into_owned()));
                }
                None if expected == *segment => {}
                _ => return None,
            }
        }
        Some(values)
    }
}

struct Check<'a> {
    operation: &'a Operation,
    violations: Vec<Violation>,
}

impl Check<'_> {
    fn parameters(&mut self, place: Place, given: &[(String, String)]) {
        let described = || {
            let all = self.operation.parameters.iter();
            all.filter(move |parameter| parameter.place == place)
        };
        let mut wrong = Vec::new();
        for parameter in described().filter(|parameter| parameter.required) {
            if !given.iter().any(|(name, _)| *name == parameter.name) {
                wrong.push((parameter.name.clone(), "/required".into(), "missing".into()));
            }
        }
        for (index, (name, value)) in given.iter().enumerate() {
            if given[..index].iter().any(|(before, _)| before == name) {
                wrong.push((name.clone(), String::new(), "given twice".into()));
            }
            match described().find(|parameter| parameter.name == *name) {
                Some(parameter) => wrong.extend(
                    unfit(&parameter.schema, value)
                        .map(|(path, problem)| (name.clone(), path, problem)),
                ),
                None if self.is_beyond(name) => {}
                None => wrong.push((name.clone(), String::new(), "not described".into())),
            }
        }
        let kind = match place {
            Place::Path => "path",
            Place::Query => "query",
        };
        for (name, path, problem) in wrong {
            self.add(format!("{kind} parameter {name}"), &path, problem);
        }
    }

    fn is_beyond(&self, parameter: &str) -> bool {
        BEYOND
            .iter()
            .any(|(operation, name, _)| *operation == self.operation.id && *name == parameter)
    }

    fn body(&mut self, request: &RequestRecord) {
        let place = || "body".to_owned();
        match (&self.operation.body, &request.content_type, &request.body) {
            (None, None, None) => {}
            (None, ..) => self.add(place(), "", "none is described".to_owned()),
            (Some(body), None, None) => {
                if body.required {
                    self.add(place(), "/required", "missing".to_owned());
                }
            }
            (Some(described), media, body) => {
                let media = media.as_deref().unwrap_or("none");
                let Some(schema) = described.content.get(media) else {
                    let problem = format!("the media type {media} is not described");
                    return self.add(place(), "", problem);
                };
                let Some(body) = body else {
                    return self.add(place(), "", format!("it is not {media}"));
                };
                self.content("body", schema, body);
            }
        }
    }

    fn answer(&mut self, status: u16, body: Option<&Value>) {
        let place = format!("answer {status}");
        let answers = &self.operation.answers;
        let described = answers.get(&status.to_string());
        // The described success is of one status; `default` is for refusals.
        let described = described.or_else(|| answers.get("default").filter(|_| status >= 400));
        match (described, body) {
            (None, _) => self.add(place, "", "this status is not described".to_owned()),
            (Some(None), None) => {}
            (Some(None), Some(_)) => self.add(place, "", "no body is described".to_owned()),
            (Some(Some(_)), None) => self.add(place, "/required", "missing".to_owned()),
            (Some(Some(schema)), Some(body)) => self.content(&place, schema, body),
        }
    }

    fn content(&mut self, place: &str, schema: &Schema, body: &Value) {
        let found: Vec<_> = schema.0.iter_errors(body).flat_map(innermost).collect();
        for (instance, path, problem) in found {
            self.add(format!("{place} at {instance:?}"), &path, problem);
        }
    }

    fn add(&mut self, place: String, schema_path: &str, problem: String) {
        self.violations.push(Violation {
            operation: self.operation.id.clone(),
            place,
            schema_path: schema_path.to_owned(),
            problem,
        });
    }
}

/// A parameter is text on the wire; its schema may mean what the text says.
fn unfit(schema: &Schema, text: &str) -> Option<(String, String)> {
    let said = serde_json::from_str(text).ok();
    let said = said.filter(|said: &Value| said.is_number() || said.is_boolean());
    if said.is_some_and(|said| schema.0.is_valid(&said)) {
        return None;
    }
    let text = Value::from(text);
    let error = schema.0.iter_errors(&text).next()?;
    let (_, path, problem) = innermost(error).into_iter().next()?;
    Some((path, problem))
}

/// Where in the instance, where in the schema, and what. Of alternatives that all fail, it is the
/// one that was meant: that fits furthest.
fn innermost(error: ValidationError<'_>) -> Vec<(String, String, String)> {
    let one = (
        error.instance_path().to_string(),
        error.schema_path().to_string(),
        error.masked().to_string(),
    );
    let (ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context }) =
        error.into_parts().kind
    else {
        return vec![one];
    };
    let fit = |errors: &Vec<ValidationError<'_>>| {
        let each = errors.iter().map(|error| {
            let depth = error.instance_path().as_str().matches('/').count();
            let of_this_type = !matches!(error.kind(), ValidationErrorKind::Type { .. });
            (depth, of_this_type)
        });
        each.max()
    };
    let Some(meant) = context.into_iter().max_by_key(fit) else {
        return vec![one];
    };
    meant.into_iter().flat_map(innermost).collect()
}
