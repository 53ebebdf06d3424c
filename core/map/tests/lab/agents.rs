//! What agents of other machines tell.

use servicemap_map::model::{Fact, FactBody, FlowDelta, MachineId, Origin, SourceId};

use super::{Lab, at, ip};

impl Lab {
    /// An agent of a machine tells a fact.
    pub(crate) fn agent(&mut self, machine: u32, body: FactBody) {
        let origin = Origin { source: SourceId::Agent(MachineId(machine)), sequence: 0 };
        self.map.apply(Fact { at: self.now, origin, body });
    }

    /// The agent of a machine of this name is heard, and has counted everything since a second of the test.
    pub(crate) fn observed(&mut self, machine: u32, name: &str, since: f64) {
        let observed_since = Some(at(since));
        self.agent(machine, FactBody::Machine { name: name.into(), observed_since });
        self.agent(machine, FactBody::NetworkNamespace { netns: super::HOST, name: None });
    }

    /// The agent of a machine is not heard any more.
    pub(crate) fn lost(&mut self, machine: u32, name: &str) {
        self.agent(machine, FactBody::Machine { name: name.into(), observed_since: None });
    }

    /// A namespace of a machine has an address.
    pub(crate) fn agent_address(&mut self, machine: u32, netns: u32, address: &str) {
        self.agent(machine, FactBody::Address { netns, address: ip(address), present: true });
    }

    /// The agent of a machine counted something that happens now.
    pub(crate) fn agent_tells(&mut self, machine: u32, delta: impl Into<FlowDelta>) {
        let mut delta = delta.into();
        delta.key.machine = MachineId(machine);
        (delta.first, delta.last) = (self.now, self.now);
        self.agent(machine, FactBody::Flow(delta));
    }
}
