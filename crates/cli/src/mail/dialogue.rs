//! `--show-dialogue`: what is said, on standard error, so that it does not mix with results.

use crate::output::{CLIENT, SERVER, say_aside, styled};
use posta_runtime::Transcript;
use posta_ua::{Dialogue, Protocol, Speaker};
use std::sync::Arc;

/// A transcript that shows each line, if wanted.
pub(crate) fn shown_if(wanted: bool, protocol: Protocol) -> Option<Arc<dyn Transcript>> {
    wanted.then(|| {
        let dialogue = Dialogue::new(protocol, |speaker, line| {
            let (style, letter) = match speaker {
                Speaker::Client => (CLIENT, 'C'),
                Speaker::Server => (SERVER, 'S'),
            };
            say_aside(format!("{} {line}", styled(style, format_args!("{letter}:"))));
        });
        Arc::new(dialogue) as Arc<dyn Transcript>
    })
}
