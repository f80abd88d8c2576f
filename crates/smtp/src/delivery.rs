//! Where a message is to appear: in a mailbox, on a screen, or both (RFC 821 §3.4).

use crate::Verb;

/// What the verb that begins a transaction asks for. The world has left all but [`Mail`](Self::Mail).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// `MAIL`: into the mailbox.
    #[default]
    Mail,
    /// `SEND`: before the eyes of somebody who is logged in, and nowhere else.
    Send,
    /// `SOML`: likewise; into the mailbox of whoever is not.
    SendOrMail,
    /// `SAML`: into the mailbox in any case, and before the eyes of whoever is logged in.
    SendAndMail,
}

impl Delivery {
    /// The verb that asks for it.
    pub fn verb(self) -> Verb {
        match self {
            Delivery::Mail => Verb::Mail,
            Delivery::Send => Verb::Send,
            Delivery::SendOrMail => Verb::Soml,
            Delivery::SendAndMail => Verb::Saml,
        }
    }

    /// What the verb asks for, if it begins a transaction.
    pub fn of(verb: Verb) -> Option<Self> {
        match verb {
            Verb::Mail => Some(Delivery::Mail),
            Verb::Send => Some(Delivery::Send),
            Verb::Soml => Some(Delivery::SendOrMail),
            Verb::Saml => Some(Delivery::SendAndMail),
            _ => None,
        }
    }
}
