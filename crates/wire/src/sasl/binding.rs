//! Channel bindings: what ties an exchange to the TLS connection that it runs in.

use std::fmt;

/// The kinds that we know. `tls-unique` is not among them: TLS 1.3 doesn't have it (RFC 9266 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingKind {
    /// 32 octets of keying material of this connection (RFC 9266 §2).
    TlsExporter,
    /// The hash of the server's certificate (RFC 5929 §4).
    TlsServerEndPoint,
}

impl BindingKind {
    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            BindingKind::TlsExporter => "tls-exporter",
            BindingKind::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

/// The channel binding data of a connection, as TLS gives it. Empty where there is no TLS.
///
/// The data must not be used for anything else, and for one exchange per connection that succeeds
/// (RFC 9266 §4.1). A server hands it in exactly when it announces `-PLUS` mechanisms: their absence
/// from the list that a client saw is then known for an attack.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `EXPORTER-Channel-Binding`, no context, 32 octets (RFC 9266 §2). From TLS 1.3, or from
    /// TLS 1.2 with extended master secret; never else.
    pub exporter: Option<[u8; 32]>,
    /// The hash of the server's certificate, DER: by the hash function of the certificate's signature,
    /// SHA-256 where that is MD5 or SHA-1 (RFC 5929 §4.1).
    pub server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// No TLS, or a TLS connection that can't be bound to.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether `-PLUS` mechanisms are possible.
    pub fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.server_end_point.is_none()
    }

    /// The best kind there is data for, with the data. RFC 9266 §3: the exporter is the default.
    pub(super) fn best(&self) -> Option<(BindingKind, &[u8])> {
        [BindingKind::TlsExporter, BindingKind::TlsServerEndPoint]
            .into_iter()
            .find_map(|kind| self.data(kind.name()).map(|data| (kind, data)))
    }

    /// The data of the kind with this name, which is case-sensitive.
    pub(super) fn data(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            "tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Debug for ChannelBindings {
    /// The kinds only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBindings")
            .field("exporter", &self.exporter.is_some())
            .field("server_end_point", &self.server_end_point.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exporter_comes_first() {
        let mut bindings = ChannelBindings { exporter: Some([7; 32]), server_end_point: Some(vec![1, 2]) };
        assert_eq!(bindings.best(), Some((BindingKind::TlsExporter, &[7; 32][..])));
        bindings.exporter = None;
        assert_eq!(bindings.best(), Some((BindingKind::TlsServerEndPoint, &[1, 2][..])));
        assert_eq!(bindings.data("tls-unique"), None);
        assert_eq!(ChannelBindings::none().best(), None);
        assert!(!format!("{bindings:?}").contains('2'));
    }
}
