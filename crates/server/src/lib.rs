//! Composition: configuration, reception, POP3 service, admin interface.

pub mod admin;
