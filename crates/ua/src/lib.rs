//! The user agents' common engine: identity, compose, submit, fetch.
