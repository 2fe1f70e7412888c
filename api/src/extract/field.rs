//! What serde says of a field, in words for the caller and without the value.

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::{ApiError, FieldError};

/// Longest name of a field that is repeated to the caller.
const MAX_NAME: usize = 300;

/// The 422 for what serde found at `path`. serde's own text may hold the value, so only what it
/// expected is kept.
pub(super) fn validation(path: &serde_path_to_error::Path, message: &str) -> ApiError {
    let path = path.to_string();
    let path = if path == "." { "" } else { path.as_str() };
    let message = cut_position(message);
    let quoted = |prefix: &str| {
        let rest = message.strip_prefix(prefix)?;
        rest.split('`').next().map(ToOwned::to_owned)
    };
    if let Some(name) = quoted("missing field `") {
        return ApiError::field(join(path, &name), "is required");
    }
    if let Some(name) = quoted("duplicate field `") {
        return ApiError::field(join(path, &name), "appears twice");
    }
    if let Some(name) = quoted("unknown field `") {
        // serde's path already ends with the name when the field was met while reading a struct.
        let field = if path == name || path.ends_with(&format!(".{name}")) {
            path.to_owned()
        } else {
            join(path, &name)
        };
        return ApiError::field(printable(&field), "is not a known field");
    }
    ApiError::field(printable(path), wanted(message))
}

/// What was expected, as a half sentence that follows the field's name.
fn wanted(message: &str) -> String {
    if let Some((_, expected)) = message.rsplit_once(", expected ") {
        // The text after the last "expected" is a type's or an enum's own.
        let expected = expected.replace('`', "");
        return match expected.as_str() {
            "a string" | "a borrowed string" => "must be a string".to_owned(),
            "a boolean" => "must be true or false".to_owned(),
            other if message.starts_with("unknown variant") => {
                format!("must be {}", other.replace("one of ", "one of: "))
            }
            other if other.starts_with("struct ") || other == "a map" => {
                "must be an object".to_owned()
            }
            other => format!("must be {other}"),
        };
    }
    if message.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    if message.contains("true` or `false") {
        return "must be true or false".to_owned();
    }
    if message.contains("digit") || message.contains("integer") || message.contains("number") {
        return "must be a whole number".to_owned();
    }
    // `Rule` errors of our own types say what must hold, never what was given.
    message
        .strip_prefix(RULE)
        .map_or_else(|| "is not valid".to_owned(), ToOwned::to_owned)
}

/// Marks the text of our own deserialisers as fit to be shown.
const RULE: &str = "rule: ";

/// An error of a type's own `Deserialize` whose text reaches the caller: what must hold, without
/// the value.
pub(crate) fn rule<E: de::Error>(text: &str) -> E {
    E::custom(format_args!("{RULE}{text}"))
}

fn cut_position(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(text, _)| text)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        printable(name)
    } else {
        printable(&format!("{path}.{name}"))
    }
}

fn printable(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect()
}

/// 422 naming each of `given` that `T` does not have.
pub(super) fn refuse_unknown<'de, 'a, T: Deserialize<'de>>(
    given: impl Iterator<Item = &'a str>,
) -> Result<(), ApiError> {
    let known = fields_of::<T>();
    let unknown: Vec<_> = given
        .filter(|name| !known.contains(name))
        .map(|name| FieldError::new(printable(name), "is not a known field"))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ApiError::Validation(unknown))
    }
}

/// The names of the fields of a struct, as serde knows them.
fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The probe never gives a value, so this is always the error that ends it.
    let _ended = T::deserialize(Probe(&mut fields));
    fields
}

/// A deserializer that only listens to what it is asked for.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("probe"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("probe"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only read into")]
    struct Sample {
        repo_full_name: String,
        mode: keyway_shared::domain::vault::Role,
        id: Option<uuid::Uuid>,
    }

    fn explain(json: &str) -> FieldError {
        let mut json = serde_json::Deserializer::from_str(json);
        let error = serde_path_to_error::deserialize::<_, Sample>(&mut json).unwrap_err();
        match validation(error.path(), &error.inner().to_string()) {
            ApiError::Validation(mut errors) => errors.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_the_field_and_keeps_the_value_to_itself() {
        let cases = [
            (r"{}", "repoFullName", "is required"),
            (r#"{"repoFullName": 5}"#, "repoFullName", "must be a string"),
            (
                r#"{"repoFullName": "hunter2", "mode": "hunter2"}"#,
                "mode",
                "must be one of: read, write, admin",
            ),
            (
                r#"{"repoFullName": "", "mode": "read", "id": "hunter2"}"#,
                "id",
                "must be a UUID",
            ),
        ];
        for (json, field, message) in cases {
            assert_eq!(explain(json), FieldError::new(field, message), "{json}");
        }
    }

    #[test]
    fn knows_the_fields_of_a_struct() {
        assert_eq!(fields_of::<Sample>(), ["repoFullName", "mode", "id"]);
        let refused = refuse_unknown::<Sample>(["id", "exclude"].into_iter());
        assert_eq!(
            refused,
            Err(ApiError::field("exclude", "is not a known field"))
        );
    }
}
