//! Tidiness is an ordinary test.

use xtask::{Workspace, rfc, tidy};

#[test]
fn the_workspace_is_tidy() {
    let workspace = Workspace::load().expect("the workspace is readable");
    let report = tidy::check(&workspace).expect("the checks run");
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "not tidy:\n{}", errors.join("\n"));
}

#[test]
fn the_rfc_index_can_be_made() {
    let workspace = Workspace::load().expect("the workspace is readable");
    let index = rfc::index(&workspace).expect("the index can be made");
    assert!(index.contains("## RFC 5321: Simple Mail Transfer Protocol"));
}
