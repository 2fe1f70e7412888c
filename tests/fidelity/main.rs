//! Our client, judged by what others wrote: each of its requests is held against the vendor's
//! description.

#![cfg(test)]

mod requests;
