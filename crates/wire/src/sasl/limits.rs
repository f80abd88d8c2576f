//! Bounds of SASL exchanges, with what the RFCs ask at least.

/// Longest base64 line of an exchange, CRLF not counted.
/// RFC 4954 §4: "12288 octets is considered to be a sufficient line length limit".
pub const LINE_OCTETS_MAX: usize = 12_288;

/// Longest `AUTH` command with an initial response in SMTP, CRLF included (RFC 5321 §4.5.3.1.4);
/// a client whose initial response doesn't fit sends it after an empty challenge (RFC 4954 §4).
pub const SMTP_AUTH_COMMAND_OCTETS_MAX: usize = 512;

/// The same in POP3 (RFC 2449 §4, RFC 5034 §4).
pub const POP3_AUTH_COMMAND_OCTETS_MAX: usize = 255;

/// Longest mechanism name (RFC 4422 §3.1).
pub const MECHANISM_OCTETS_MAX: usize = 20;

/// Longest authentication or authorization identity. RFC 4616 §2 asks for 255 at least; an address
/// with the longest local part and the longest domain has 320.
pub const NAME_OCTETS_MAX: usize = 512;

/// Longest password. RFC 4616 §2 asks for 255 at least.
pub const PASSWORD_OCTETS_MAX: usize = 1024;

/// Longest bearer token; what base64 leaves of a line, less room for the fields around it.
pub const TOKEN_OCTETS_MAX: usize = 8192;

/// Random octets that each exchange is handed: 144 bits, and base64 of them needs no padding.
pub const RANDOM_OCTETS: usize = 18;

/// Longest nonce that is taken from a peer. The RFC has no bound; real ones have 16 to 64 octets.
pub const NONCE_OCTETS_MAX: usize = 256;

/// Length of the salts that we make, and of the made-up ones for unknown names: they must not differ.
pub const SALT_OCTETS: usize = 16;

/// Shortest salt of a verifier.
pub const SALT_OCTETS_MIN: usize = 8;

/// Longest salt that is taken from a peer or a verifier.
pub const SALT_OCTETS_MAX: usize = 128;

/// Fewest iterations. RFC 5802 §5.1 and RFC 7677 §3: servers SHOULD announce at least 4096; a client
/// that took fewer would give a false server a cheap guess at the password.
pub const ITERATIONS_MIN: u32 = 4096;

/// Iterations of verifiers that we make. RFC 7677 §4 counted 15,000 for a tenth of a second in 2015.
pub const ITERATIONS_DEFAULT: u32 = 32_768;

/// Most iterations: some tenths of a second of one core. No peer can make us compute longer.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// Longest error text of a server that a client keeps.
pub const SERVER_ERROR_OCTETS_MAX: usize = 1024;
