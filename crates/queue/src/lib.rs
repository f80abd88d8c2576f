//! What happens after 250: scheduler, retry, delivery, bounces.
