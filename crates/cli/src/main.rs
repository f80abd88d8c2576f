//! The one shipped binary: posta.

fn main() {}
