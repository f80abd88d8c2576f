//! Domains that say by a null MX (RFC 7505) that they accept no mail: known before there is any to send.

use crate::{limits::NULL_MX_TIME_MAX, service::Queue, settings::Destination};
use posta_address::{Domain, Host, Mailbox};
use posta_dns::Resolver;

impl Queue {
    /// Whether mail to this mailbox is known to come back, because its domain accepts none. What goes by a
    /// smarthost or a static route is theirs to judge; and where the DNS does not answer at once, delivery
    /// will see.
    pub async fn accepts_no_mail(&self, mailbox: &Mailbox) -> bool {
        let shared = self.shared();
        let Destination::Host(Host::Domain(domain)) = shared.settings().settings.destination(mailbox) else {
            return false;
        };
        let looking = has_null_mx(shared.resolver.as_ref(), &domain);
        tokio::time::timeout(NULL_MX_TIME_MAX, looking).await.unwrap_or(false)
    }
}

/// RFC 7505 §3: one record, and no other beside it.
async fn has_null_mx(resolver: &dyn Resolver, domain: &Domain) -> bool {
    match resolver.mx(domain).await {
        Ok(records) => matches!(records.as_slice(), [record] if record.exchange.is_none()),
        Err(_) => false,
    }
}
