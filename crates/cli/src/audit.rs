//! `posta audit`: what became of every message-recipient ever accepted; the difference must be 0.

use crate::{
    operator::Operator,
    output::{self, BAD, Form, GOOD, styled},
};
use posta_server::admin::{Request, Response};
use posta_store::Tally;
use serde::Serialize;
use std::process::ExitCode;

/// See the module.
#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    form: Form,
}

#[derive(Serialize)]
struct Audited {
    #[serde(flatten)]
    tally: Tally,
    difference: i128,
}

/// Accepted less all ends.
pub(crate) fn difference(tally: &Tally) -> i128 {
    let ends = [tally.delivered, tally.relayed, tally.bounced, tally.discarded, tally.queued];
    i128::from(tally.accepted) - ends.into_iter().map(i128::from).sum::<i128>()
}

impl Audit {
    pub(crate) async fn run(self, operator: &Operator) -> anyhow::Result<ExitCode> {
        let tally = match operator.ask(Request::Audit).await? {
            Response::Tally(tally) => tally,
            other => return Err(Operator::unexpected(&other)),
        };
        let difference = difference(&tally);
        let code = if difference == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        if self.form.json {
            output::say_json(&Audited { tally, difference })?;
            return Ok(code);
        }
        let rows = [
            ("accepted", tally.accepted),
            ("  delivered into maildrops", tally.delivered),
            ("  relayed to other hosts", tally.relayed),
            ("  bounced", tally.bounced),
            ("  discarded by a named rule", tally.discarded),
            ("  in the queue", tally.queued),
        ];
        output::say("message-recipients:")?;
        for (name, count) in rows {
            output::say(format!("  {name:<30} {count:>12}"))?;
        }
        let verdict = if difference == 0 {
            styled(GOOD, "difference 0: nothing is lost, nothing is there twice")
        } else {
            styled(BAD, format!("difference {difference}: please run `posta store check` and report this"))
        };
        output::say(format!("  {verdict}"))?;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_has_a_sign_and_does_not_overflow() {
        let tally = Tally { accepted: 5, delivered: 2, relayed: 1, bounced: 1, discarded: 0, queued: 1 };
        assert_eq!(difference(&tally), 0);
        assert_eq!(difference(&Tally { accepted: 6, ..tally }), 1);
        assert_eq!(difference(&Tally { accepted: 0, ..tally }), -5);
        let huge = Tally { delivered: u64::MAX, relayed: u64::MAX, ..tally };
        assert!(difference(&huge) < 0);
    }
}
