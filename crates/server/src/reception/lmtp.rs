//! What LMTP asks at the end of a content: a verdict for each recipient (RFC 2033 §4.2).

use super::{facts::full_maildrops, replies, transaction::Transaction};
use crate::{host::Host, recipients::Target};
use posta_address::ForwardPath;
use posta_smtp::Reply;
use posta_store::StoreError;

/// Finds the recipients whose maildrop has no room for the message, and takes them out of the transaction.
/// All recipients as they were, with what those hear who were refused.
pub(crate) async fn refuse_full(
    host: &Host,
    transaction: &mut Transaction,
    size_octets: u64,
) -> Result<Vec<(ForwardPath, Option<Reply>)>, StoreError> {
    let targets: Vec<Target> = transaction.targets.iter().map(|(_, target)| target.clone()).collect();
    let mut refused: Vec<Option<Reply>> = vec![None; transaction.recipients.len()];
    for full in full_maildrops(&*host.store, &targets, size_octets).await? {
        let (place, target) = &transaction.targets[full.target];
        // Lists pass over members that have no room.
        if target.through_list {
            continue;
        }
        let is_only = transaction.targets.iter().filter(|(other, _)| other == place).count() == 1;
        let standard =
            if full.never_fits && is_only { replies::QUOTA_EXCEEDED } else { replies::MAILBOX_FULL };
        refused[*place] = Some(standard.reply());
    }
    let all = transaction.recipients.iter().cloned().zip(refused).collect::<Vec<_>>();
    let is_dropped: Vec<bool> = all.iter().map(|(_, reply)| reply.is_some()).collect();
    transaction.drop_recipients(&is_dropped);
    Ok(all)
}
