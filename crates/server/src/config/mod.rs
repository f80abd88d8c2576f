//! The configuration: `posta.toml`, read into types that say what is expected.

mod read;
mod sample;
mod settings;
mod value;

pub use read::ConfigError;
pub use sample::Section;
pub use settings::{
    Auth, CertificateFiles, Config, Delivery, DeliveryTls, Dns, Journal, Leniency, Limits, Listener, Oauth,
    Pop3, Protocol, Proxy, Relay, Setting, Smtp, Submission, Tls, TlsLevel, Turn, VerifyPolicy,
};
pub use value::{Network, Octets, Period, ReplyLanguage, Route};
