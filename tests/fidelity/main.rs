//! Our simulator and our client, proven by what others wrote: the vendor's own client drives the
//! simulator, and the vendor's description judges our client.

#![cfg(test)]

mod netlify;
mod requests;
mod vendor_client;
