//! Who submits tweets, and from where.

use std::net::IpAddr;

use waggle_kernel::{Actor, ActorKind, ActorRef};

/// The sender of a report or of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The actor, and the request in which it submits them.
    pub by: ActorRef,
    /// The network address; empty if unknown.
    pub address: String,
    /// Whether the sender had no credentials and called from a trusted network.
    pub is_unauthenticated: bool,
}

impl Sender {
    /// The sender that `actor` is, at this network address.
    pub fn of(actor: &Actor, address: Option<IpAddr>) -> Self {
        Self {
            by: actor.reference(),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            is_unauthenticated: matches!(actor.kind(), ActorKind::TrustedNetwork { .. }),
        }
    }
}
