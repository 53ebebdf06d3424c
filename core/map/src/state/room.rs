//! What finds no room in the map, and which service stands for it.

use super::State;
use super::flows::{Flow, Place};
use super::services::Entry;
use super::slots::Id;
use super::sums::Arrival;
use crate::model::{Bound, ServiceRef};
use crate::resolve::{Ends, Party};

/// Addresses inside the cluster that nobody known has which are shown by themselves. A few are pods that came and went while
/// the API server was away; more of them say nothing that their number does not say, and each would be told as a service.
const MAX_STRANGERS: usize = 100;

/// One of the two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Destination,
}

impl State {
    /// Addresses beyond the bound are one service: those outside, and those inside the cluster that nobody known has; and so
    /// is whatever finds no room at all. A flow that counts there stays there as long as nobody is known to have its address: counters do not jump.
    pub(super) fn bounded(&self, flow: &Flow, ends: Ends) -> Ends {
        let has_room = || self.services.len() < self.settings.max_services;
        let bound = |party: Party, end: End| {
            let is_new = || self.services.find(&party.id()).is_none();
            let Some(rest) = party.rest() else {
                let rest = party.without_room(&self.settings.host);
                let goes_there = self.is_among(flow, &rest, end) || (!has_room() && is_new());
                return if goes_there { rest } else { party };
            };
            let full = || {
                if party.is_external() {
                    self.services.externals() >= self.settings.max_externals
                } else {
                    self.services.strangers() >= MAX_STRANGERS
                }
            };
            let goes_there = || (full() || !has_room()) && is_new();
            if self.is_among(flow, &rest, end) || goes_there() { rest } else { party }
        };
        match ends {
            Ends::Pair { source, destination, port, side, since, client } => {
                let (source, destination) =
                    (bound(source, End::Source), bound(destination, End::Destination));
                Ends::Pair { source, destination, port, side, since, client }
            }
            Ends::Presence(party) => Ends::Presence(bound(party, End::Destination)),
            Ends::Waiting => Ends::Waiting,
        }
    }

    /// Whether a flow counts, at one of its ends, for a party that stands for many.
    fn is_among(&self, flow: &Flow, rest: &Party, end: End) -> bool {
        match flow.place {
            Place::Nowhere => false,
            Place::Presence(service) => {
                self.services.get(service).is_some_and(|entry| entry.reference == rest.service)
            }
            Place::Edge(edge) => self.edges.get(edge).is_some_and(|edge| match end {
                End::Source => edge.reference.source == rest.service,
                End::Destination => edge.reference.destination == rest.service,
            }),
        }
    }

    /// The service of a party, or of the one that stands for it where there is no room, and how it is called.
    pub(super) fn service_or_rest(
        &mut self,
        party: &Party,
        arrival: &Arrival<'_>,
    ) -> Option<(Id<Entry>, ServiceRef)> {
        let rest;
        let (id, party) = if let Some(id) = self.service(party, arrival) {
            (id, party)
        } else {
            rest = party.without_room(&self.settings.host);
            (self.service(&rest, arrival)?, &rest)
        };
        if party.stands_for_many(&self.settings.host) {
            self.count_rest(party);
        }
        Some((id, party.service.clone()))
    }

    /// A flow counts for a service that stands for many, because of which bound?
    fn count_rest(&mut self, rest: &Party) {
        if self.services.len() >= self.settings.max_services {
            self.turn_away(Bound::Services, 1);
        } else if rest.is_external() && self.services.externals() >= self.settings.max_externals {
            self.count_bounded(Bound::Externals, 1);
        } else if self.services.strangers() >= MAX_STRANGERS {
            self.count_bounded(Bound::Unresolved, 1);
        }
    }
}
