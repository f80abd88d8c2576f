//! Who this host is in TLS: its certificates, read anew with every reload; one of its own making where
//! none is configured.

use crate::config::Config;
use posta_runtime::tls::{Acceptor, Identity, TlsEnd, TlsError, Trust, self_signed};
use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
};

/// In the data folder: where the certificate lies that the host made itself.
const FOLDER: &str = "tls";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// The server's end of TLS as the configuration has it.
pub(crate) fn acceptor(config: &Config) -> Result<TlsEnd, TlsError> {
    let files = &config.tls.certificates;
    let identities = if files.is_empty() {
        vec![own(config)?]
    } else {
        files
            .iter()
            .map(|files| Identity::from_files(&files.certificate, &files.key))
            .collect::<Result<_, _>>()?
    };
    let authorities = match &config.tls.client_authorities {
        Some(path) => Some(std::fs::read(path).map_err(|source| in_file(path, source))?),
        None => None,
    };
    Acceptor::new(identities, authorities.as_deref()).map(TlsEnd::Accept)
}

/// Who vouches for other hosts.
pub(crate) fn trust(config: &Config) -> Result<Arc<Trust>, TlsError> {
    Trust::system_and(&config.tls.authorities).map(Arc::new)
}

/// The host's own certificate: made once and kept, because clients that have seen it may insist on it.
fn own(config: &Config) -> Result<Identity, TlsError> {
    let folder = config.data_dir.join(FOLDER);
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if certificate.exists() && key.exists() {
        return Identity::from_files(&certificate, &key);
    }
    let (certificate_pem, key_pem) = self_signed(&[config.hostname.to_ascii().to_owned()])?;
    // A store that lives in memory has no folder; then the certificate lives there, too.
    if config.data_dir.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| in_file(&folder, source))?;
        // The certificate last: both are there, or they are made anew.
        keep(&key, &key_pem, 0o600)?;
        keep(&certificate, &certificate_pem, 0o644)?;
        tracing::info!(certificate = %certificate.display(), "made a certificate that nobody vouches for");
    }
    Identity::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes())
}

/// Writes a file so that a crash leaves it whole or not at all; readable by others only as `mode` says, from
/// its first octet on.
fn keep(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let temporary = path.with_extension("new");
    let written = || -> io::Result<()> {
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    written().map_err(|source| in_file(path, source))
}

fn in_file(path: &Path, source: io::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(folder: &Path) -> Config {
        Config::new(posta_address::Domain::parse("mx.north.example").expect("a domain"), folder)
    }

    #[test]
    fn a_certificate_of_its_own_is_made_once_and_kept_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path());
        acceptor(&config).expect("made");
        let (certificate, key) =
            (folder.path().join("tls/certificate.pem"), folder.path().join("tls/key.pem"));
        let mode = std::fs::metadata(&key).expect("kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = std::fs::read(&certificate).expect("kept");
        acceptor(&config).expect("read again");
        assert_eq!(std::fs::read(&certificate).expect("kept"), first, "the same one");
        std::fs::write(&key, "nonsense").expect("written");
        let error = acceptor(&config).expect_err("no key").to_string();
        assert!(error.contains("key.pem") && error.contains("no private key"), "{error}");
    }

    #[test]
    fn without_a_folder_nothing_is_written() {
        let config = config(Path::new("/nonexistent"));
        acceptor(&config).expect("made");
    }
}
