//! The shipped binary against strangers and against misfortune: real processes, real sockets, loopback.
//!
//! A test whose stranger isn't installed says so and passes; with `CI=true` it fails.
#![allow(clippy::print_stdout)]

mod auth;
mod callers;
mod clients;
mod corpus;
mod crash;
mod dovecot;
mod exim;
mod inside_tls;
mod lab;
mod large;
mod postfix;
mod protocol;
mod reader;
mod tls;
mod tokens;
mod ways_in;
