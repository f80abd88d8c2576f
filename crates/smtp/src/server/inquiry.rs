//! What moves no mail: VRFY, EXPN, HELP (RFC 5321 §3.5, §4.1.1.6 to §4.1.1.8).

use super::{
    Question,
    session::{Asked, Session},
};
use crate::{Lookup, replies};

impl Session {
    /// Without the extension VRFY still must not be denied outright: 252 tells nothing
    /// (RFC 5321 §3.5.3, §7.3).
    pub(super) fn vrfy(&mut self, lookup: Lookup) {
        if !self.settings.extensions.vrfy {
            return self.say(&replies::CANNOT_VERIFY.reply());
        }
        self.ask(Asked::Verify { smtputf8: lookup.smtputf8 }, Question::Verify(lookup.argument));
    }

    pub(super) fn expn(&mut self, lookup: Lookup) {
        if !self.settings.extensions.expn {
            return self.refuse("expn", replies::NOT_IMPLEMENTED.reply());
        }
        self.ask(Asked::Expand { smtputf8: lookup.smtputf8 }, Question::Expand(lookup.argument));
    }

    pub(super) fn help(&mut self) {
        let more = if self.offers_send() { " SEND SOML SAML" } else { "" };
        let reply =
            replies::HELP.with(format!("HELO EHLO MAIL RCPT DATA BDAT RSET VRFY EXPN HELP NOOP QUIT{more}"));
        self.say(&reply.and(replies::HELP.text));
    }
}
