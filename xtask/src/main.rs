//! The project's own tools: tidy, bench, fuzz, docs.

fn main() {}
