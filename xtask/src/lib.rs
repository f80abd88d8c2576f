//! The project's own tools, as a library so that tidiness is also an ordinary test.

pub mod bench;
pub mod fuzz;
pub mod peers;
pub mod rfc;
pub mod tidy;
mod workspace;

pub use workspace::{SourceFile, Workspace};
