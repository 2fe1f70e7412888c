//! Relay's pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::graphql::{FieldResult, Found, Node, PROBLEM, leaf, not_simulated};

/// A part of a list.
#[derive(Debug, Clone)]
pub(super) struct Page {
    nodes: Vec<(String, Node)>,
    before: bool,
    after: bool,
}

/// The part that the arguments ask for.
pub(super) fn page(nodes: Vec<Node>, arguments: &Value, size: usize) -> Result<Page, String> {
    let mut nodes: Vec<(String, Node)> = nodes
        .into_iter()
        .enumerate()
        .map(|(index, node)| (URL_SAFE_NO_PAD.encode(format!("cursor:{index}")), node))
        .collect();
    let all = nodes.len();
    let place = |name: &str| match arguments[name].as_str() {
        None => Ok(None),
        Some(cursor) => {
            let found = nodes.iter().position(|(known, _)| known == cursor);
            found.map(Some).ok_or_else(|| PROBLEM.to_owned())
        }
    };
    let number = |name: &str| match arguments[name].as_i64() {
        None => Ok(None),
        Some(number) => usize::try_from(number)
            .map(Some)
            .map_err(|_| PROBLEM.to_owned()),
    };
    let mut start = place("after")?.map_or(0, |index| index + 1);
    let mut end = place("before")?.unwrap_or(all).max(start);
    match (number("first")?, number("last")?) {
        (None, Some(last)) => start = start.max(end.saturating_sub(last)),
        (first, _) => end = end.min(start + first.unwrap_or(size)),
    }
    nodes.truncate(end);
    nodes.drain(..start);
    Ok(Page {
        nodes,
        before: start > 0,
        after: end < all,
    })
}

pub(super) fn connection(page: &Page, name: &str) -> FieldResult {
    match name {
        "edges" => {
            let edge = |(cursor, node): &(String, Node)| {
                Node::Edge(cursor.clone(), Box::new(node.clone()))
            };
            Ok(Found::List(page.nodes.iter().map(edge).collect()))
        }
        "pageInfo" => Ok(Found::Node(Node::PageInfo(page.clone()))),
        other => not_simulated(other),
    }
}

pub(super) fn page_info(page: &Page, name: &str) -> FieldResult {
    let cursor = |edge: Option<&(String, Node)>| leaf(edge.map(|(cursor, _)| cursor.clone()));
    match name {
        "hasNextPage" => leaf(page.after),
        "hasPreviousPage" => leaf(page.before),
        "startCursor" => cursor(page.nodes.first()),
        "endCursor" => cursor(page.nodes.last()),
        other => not_simulated(other),
    }
}
