//! The files of this repository, read once.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// One text file of the repository.
pub struct SourceFile {
    /// From the root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl SourceFile {
    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The crate's folder name, for `crates/NAME/src/...`.
    #[must_use]
    pub fn crate_of_source(&self) -> Option<&str> {
        let (name, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        rest.starts_with("src/").then_some(name)
    }
}

/// The repository: its root and its text files.
pub struct Workspace {
    root: PathBuf,
    files: Vec<SourceFile>,
}

/// Kinds of files that are ours to write, by extension; all else is data.
const TEXT_KINDS: &[&str] = &["rs", "toml", "md", "txt", "smtp", "pop3", "sh", "py", "zone", "yml"];

impl Workspace {
    /// Reads the workspace that this program was built from.
    pub fn load() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
        let mut files = Vec::new();
        collect(root, root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root: root.to_owned(), files })
    }

    /// A workspace made of these files, for tests of the checks themselves.
    #[must_use]
    pub fn of_files(root: &Path, files: Vec<SourceFile>) -> Self {
        Self { root: root.to_owned(), files }
    }

    /// Where it lies.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// By path.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The file with this path.
    pub fn file(&self, path: &str) -> Result<&SourceFile> {
        self.files.iter().find(|file| file.path == path).with_context(|| format!("{path} is missing"))
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                collect(root, &path, files)?;
            }
            continue;
        }
        let kind = path.extension().unwrap_or_default().to_string_lossy();
        let is_script = folder.file_name().is_some_and(|name| name == ".ci");
        if !is_script && !TEXT_KINDS.contains(&kind.as_ref()) {
            continue;
        }
        let octets = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        if let Ok(text) = String::from_utf8(octets) {
            let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}
