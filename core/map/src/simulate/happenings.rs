//! What changes in a simulated cluster: pods that come and go, what the script makes happen, and when the cluster reacts.

use std::time::Duration;

use super::cluster::SimulatedService;
use super::plan::PlanError;
use super::script::{Action, Script, Statement};
use super::traffic::Ending;
use super::{DRAIN_INTERVAL, Simulation};

/// Services that an error names, so that one finds how they are called.
const NAMED_IN_ERRORS: usize = 10;

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Counters are read.
    Drain,
    /// Something changes by chance.
    Churn,
    /// A pod has started.
    Started {
        service: usize,
        pod: u64,
    },
    /// A pod is gone.
    Gone {
        service: usize,
        pod: u64,
    },
    /// A service fails, for a while or for good.
    Fail {
        service: usize,
        lasting: Option<Duration>,
    },
    /// It is well again.
    Recover {
        service: usize,
    },
    /// The pods of a service are to be replaced.
    Roll {
        service: usize,
    },
    /// The successor of a pod is ready; these are still to be replaced, one by one.
    Leave {
        service: usize,
        pod: u64,
        next: Vec<u64>,
    },
    /// The pods of a service turn ready, or not ready, again and again.
    Flap {
        service: usize,
        left: Duration,
        every: Duration,
    },
    /// A node is lost, for a while or for good.
    NodeLost {
        node: usize,
        lasting: Option<Duration>,
    },
    /// A node has not been heard of for too long, for its agent, as for the API server. `turns`: unless it is back.
    NodeUnheard {
        node: usize,
        turns: u32,
    },
    NodeNotReady {
        node: usize,
        turns: u32,
    },
    NodeEvicted {
        node: usize,
        turns: u32,
        for_good: bool,
    },
    /// A node is back.
    NodeBack {
        node: usize,
    },
    /// A dependency comes, or goes.
    Depend {
        pair: (usize, usize),
        present: bool,
    },
}

impl Simulation {
    /// Puts what a script says into the calendar.
    pub(super) fn plan_script(&mut self, script: &Script) -> Result<(), PlanError> {
        for Statement { line, after, action } in &script.statements {
            let happening = match action {
                Action::Fail { service, lasting } => {
                    Happening::Fail { service: self.service_named(*line, service)?, lasting: *lasting }
                }
                Action::LoseNode { node, lasting } => {
                    Happening::NodeLost { node: self.node_named(*line, node)?, lasting: *lasting }
                }
                Action::Roll { service } => Happening::Roll { service: self.service_named(*line, service)? },
                Action::Flap { service, lasting, every } => Happening::Flap {
                    service: self.service_named(*line, service)?,
                    left: *lasting,
                    every: *every,
                },
                Action::Connect { source, destination } | Action::Disconnect { source, destination } => {
                    let pair = (self.service_named(*line, source)?, self.service_named(*line, destination)?);
                    Happening::Depend { pair, present: matches!(action, Action::Connect { .. }) }
                }
            };
            self.after(*after, happening);
        }
        Ok(())
    }

    fn service_named(&self, line: usize, name: &str) -> Result<usize, PlanError> {
        self.services.iter().position(|service| service.path() == name).ok_or_else(|| {
            let first: Vec<_> =
                self.services.iter().take(NAMED_IN_ERRORS).map(SimulatedService::path).collect();
            PlanError::NoService {
                line,
                name: name.to_owned(),
                services: self.services.len(),
                first: first.join(", "),
            }
        })
    }

    fn node_named(&self, line: usize, name: &str) -> Result<usize, PlanError> {
        if self.nodes.len() == 1 {
            return Err(PlanError::OnlyNode { line });
        }
        let place = self.nodes.iter().position(|node| *node.name == *name);
        place.ok_or_else(|| PlanError::NoNode { line, name: name.to_owned(), nodes: self.nodes.len() })
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Drain => {
                self.drain(self.plan.counters.within(DRAIN_INTERVAL));
                self.after(DRAIN_INTERVAL, Happening::Drain);
            }
            Happening::Churn => self.churn(),
            Happening::Started { service, pod } => self.started(service, pod),
            Happening::Gone { service, pod } => self.gone(service, pod),
            Happening::Fail { service, lasting } => {
                self.fail(service, true);
                if let Some(lasting) = lasting {
                    self.after(lasting, Happening::Recover { service });
                }
            }
            Happening::Recover { service } => self.fail(service, false),
            Happening::Roll { service } => {
                let service_of = self.services.get(service);
                let members = service_of.into_iter().flat_map(|service| &service.members);
                let old = members.filter(|member| !member.replaced).map(|member| member.pod.serial).collect();
                self.roll(service, old);
            }
            Happening::Leave { service, pod, next } => {
                self.leave(service, pod);
                self.roll(service, next);
            }
            Happening::Flap { service, left, every } => self.flap(service, left, every),
            Happening::NodeLost { node, lasting } => self.lose_node(node, lasting),
            Happening::NodeUnheard { node, turns } => self.unhear_node(node, turns),
            Happening::NodeNotReady { node, turns } => self.set_node_ready(node, turns, false),
            Happening::NodeEvicted { node, turns, for_good } => self.evict(node, turns, for_good),
            Happening::NodeBack { node } => self.return_node(node),
            Happening::Depend { pair, present } => self.depend(pair, present),
        }
    }

    /// A pod is replaced, or a dependency goes or one that went comes back.
    fn churn(&mut self) {
        if let Some(interval) = self.plan.churn.interval() {
            self.after(interval, Happening::Churn);
        }
        if self.edges.is_empty() || self.rng.bool() {
            let service = self.rng.usize(..self.services.len());
            let members = self.services.get(service).map_or(&[][..], |service| &service.members);
            let oldest = members.iter().find(|member| member.ready && !member.replaced);
            if let Some(serial) = oldest.map(|member| member.pod.serial) {
                self.roll(service, vec![serial]);
            }
            return;
        }
        let away: Vec<_> = (0..self.edges.len()).filter(|edge| !self.is_present(*edge)).collect();
        let comes = !away.is_empty() && self.rng.bool();
        let edge = if comes { self.rng.choice(away) } else { Some(self.rng.usize(..self.edges.len())) };
        if let Some(edge) = edge {
            self.set_present(edge, comes);
        }
    }

    pub(super) fn is_present(&self, edge: usize) -> bool {
        self.edges.get(edge).is_some_and(|edge| edge.present)
    }

    fn depend(&mut self, pair: (usize, usize), present: bool) {
        let known = self.edges.iter().position(|edge| (edge.source, edge.destination) == pair);
        match known {
            Some(edge) => self.set_present(edge, present),
            None if present && pair.0 != pair.1 && self.pairs.take(pair) => {
                let edge = self.add_edge(pair);
                self.connect_all(edge, false);
            }
            None => {}
        }
    }

    fn set_present(&mut self, edge: usize, present: bool) {
        let Some(known) = self.edges.get_mut(edge).filter(|edge| edge.present != present) else { return };
        known.present = present;
        if present {
            self.connect_all(edge, false);
        } else {
            self.end_all(edge, Ending::Closed);
        }
    }

    fn fail(&mut self, service: usize, failing: bool) {
        if let Some(known) = self.services.get_mut(service) {
            known.failing = failing;
        }
        self.set_ready(service, |_| true, !failing, Ending::Reset);
    }

    fn flap(&mut self, service: usize, left: Duration, every: Duration) {
        let failing = self.services.get(service).is_some_and(|service| service.failing);
        match left.checked_sub(every) {
            Some(left) => {
                self.fail(service, !failing);
                self.after(every, Happening::Flap { service, left, every });
            }
            None if failing => self.fail(service, false),
            None => {}
        }
    }
}
