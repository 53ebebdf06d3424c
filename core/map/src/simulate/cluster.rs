//! What stands in a simulated cluster, and the objects by which its API server tells of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::model::{
    AddressRange, ClusterScope, ContainerPort, EndpointSlice, FactBody, KubernetesFact, KubernetesService,
    Labels, MachineId, Namespace, Node, Pod, PodOwner, PodPhase, ServicePort, ServiceType, SliceEndpoint,
    SlicePort, SourceId,
};

/// Ranges of pods (each node has a part of it), Services and nodes.
const PODS: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 0, 0, 0), 8);
const SERVICES: (Ipv4Addr, u8) = (Ipv4Addr::new(172, 16, 0, 0), 12);
const NODES: (Ipv4Addr, u8) = (Ipv4Addr::new(192, 168, 0, 0), 16);
/// Zones that nodes are in by turns.
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
/// The port that every Service offers, and the one at which its pods listen.
pub(super) const PORT: u16 = 80;
pub(super) const TARGET_PORT: u16 = 8080;

fn nth((first, _): (Ipv4Addr, u8), number: u32) -> IpAddr {
    Ipv4Addr::from_bits(first.to_bits().wrapping_add(number)).into()
}

fn range((first, prefix): (Ipv4Addr, u8)) -> AddressRange {
    AddressRange { address: first.into(), prefix }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// UIDs look like random ones but say what they are of.
fn uid(kind: u16, serial: u64) -> Arc<str> {
    format!("{kind:08x}-0000-4000-8000-{serial:012x}").into()
}

/// Which addresses are the cluster's.
pub(super) fn scope() -> KubernetesFact {
    let ranges = vec![range(PODS), range(SERVICES)];
    KubernetesFact::Scope(ClusterScope { uid: uid(0, 1), ranges, partly_watched: false })
}

/// The name of a node by its number.
pub(super) fn node_name(index: u32) -> Arc<str> {
    format!("node-{}", index + 1).into()
}

/// A namespace.
pub(super) fn namespace(name: &Arc<str>) -> KubernetesFact {
    let labels = [("kubernetes.io/metadata.name", name.clone())].into_iter().collect();
    KubernetesFact::Namespace(Namespace { name: name.clone(), labels })
}

/// A node with its agent; the only one has the observer itself.
#[derive(Debug)]
pub(super) struct SimulatedNode {
    pub(super) name: Arc<str>,
    pub(super) machine: MachineId,
    index: u32,
    /// Its part of the pods' range. Addresses are given one after the other, and again from the first one on.
    pods: (Ipv4Addr, u8),
    /// Addresses, cgroups and counter facts that were given so far.
    addresses: u32,
    cgroups: u64,
    pub(super) counted: u64,
    /// What its agent tells once it is heard again.
    pub(super) untold: Vec<FactBody>,
    /// It is not heard of, and how often that has changed: what waits for a node that came back must not happen.
    pub(super) lost: bool,
    pub(super) turns: u32,
}

impl SimulatedNode {
    pub(super) fn new(index: usize, of: u32) -> Self {
        let index = number(index);
        let own_bits = of.next_power_of_two().ilog2();
        let size = u32::MAX >> u32::from(PODS.1) >> own_bits;
        let first = PODS.0.to_bits() + index * size.wrapping_add(1);
        Self {
            name: node_name(index),
            machine: if of == 1 { MachineId::OWN } else { MachineId(index + 1) },
            index,
            pods: (Ipv4Addr::from_bits(first), PODS.1 + u8::try_from(own_bits).unwrap_or_default()),
            addresses: 0,
            cgroups: 0,
            counted: 0,
            untold: Vec::new(),
            lost: false,
            turns: 0,
        }
    }

    /// Who tells what is counted there.
    pub(super) fn source(&self) -> SourceId {
        if self.machine == MachineId::OWN { SourceId::Capture } else { SourceId::Agent(self.machine) }
    }

    pub(super) fn address(&self) -> IpAddr {
        nth(NODES, self.index + 1)
    }

    /// Inode of its own network namespace.
    pub(super) const fn netns() -> u32 {
        4_026_531_840
    }

    pub(super) fn object(&self) -> KubernetesFact {
        KubernetesFact::Node(Node {
            name: self.name.clone(),
            uid: uid(1, self.index.into()),
            addresses: vec![self.address()],
            pod_ranges: vec![range(self.pods)],
            labels: [("topology.kubernetes.io/zone", self.zone())].into_iter().collect(),
        })
    }

    fn zone(&self) -> Arc<str> {
        ZONES.get(self.index as usize % ZONES.len()).copied().unwrap_or_default().into()
    }

    /// A new pod of a service here. Its address is the next one of the node's range, of which the first and the last one are
    /// not given.
    pub(super) fn start(&mut self, at: usize, service: &SimulatedService, serial: u64) -> Arc<SimulatedPod> {
        self.addresses = self.addresses % ((u32::MAX >> self.pods.1) - 1) + 1;
        self.cgroups += 1;
        let cgroup = 10_000 + self.cgroups;
        Arc::new(SimulatedPod {
            serial,
            node: at,
            node_name: self.name.clone(),
            zone: self.zone(),
            machine: self.machine,
            namespace: service.namespace.clone(),
            name: format!("{}-5d9c7b6f4-{serial:05x}", service.name).into(),
            uid: uid(2, serial),
            address: nth(self.pods, self.addresses),
            cgroup,
            // Its network namespace was made with it, too.
            netns: Self::netns().wrapping_add(number(usize::try_from(cgroup).unwrap_or_default())),
            program: service.program.clone(),
        })
    }
}

/// A pod: what never changes of it.
#[derive(Debug)]
pub(super) struct SimulatedPod {
    pub(super) serial: u64,
    /// Its node, by number.
    pub(super) node: usize,
    node_name: Arc<str>,
    zone: Arc<str>,
    pub(super) machine: MachineId,
    namespace: Arc<str>,
    name: Arc<str>,
    pub(super) uid: Arc<str>,
    pub(super) address: IpAddr,
    pub(super) cgroup: u64,
    pub(super) netns: u32,
    pub(super) program: Arc<str>,
}

impl SimulatedPod {
    /// The path of its container in the kubelet's layout.
    pub(super) fn cgroup_path(&self) -> Arc<str> {
        let slice = format!("kubepods-burstable-pod{}.slice", self.uid.replace('-', "_"));
        let container = format!("{:064x}", self.serial);
        format!("/kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-{container}.scope").into()
    }
}

/// A pod among those of its service.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) pod: Arc<SimulatedPod>,
    pub(super) ready: bool,
    /// Another one is to take its place, or has.
    pub(super) replaced: bool,
    /// It is being deleted.
    pub(super) leaving: bool,
}

impl Member {
    /// Whether new connections go to it.
    pub(super) fn takes_connections(&self) -> bool {
        self.ready && !self.leaving
    }
}

/// A Service before a Deployment.
#[derive(Debug)]
pub(super) struct SimulatedService {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
    index: u32,
    /// What its pods run; at most 15 bytes, as the kernel keeps it.
    pub(super) program: Arc<str>,
    labels: Labels,
    owner: Arc<PodOwner>,
    container_ports: Arc<[ContainerPort]>,
    pub(super) members: Vec<Member>,
    /// Edges from and to it, by number.
    pub(super) calls: Vec<usize>,
    pub(super) called_by: Vec<usize>,
    /// Its pods are not ready, whatever else happens to them.
    pub(super) failing: bool,
}

impl SimulatedService {
    pub(super) fn new(index: usize) -> Self {
        let (namespace, name) = super::shape::name(index);
        let index = number(index);
        let owner = PodOwner { kind: "Deployment".into(), name: name.into(), uid: uid(3, index.into()) };
        Self {
            namespace,
            name: name.into(),
            index,
            program: format!("{name}-server").into(),
            labels: [("app.kubernetes.io/name", name)].into_iter().collect(),
            owner: Arc::new(owner),
            container_ports: [ContainerPort { name: "http".into(), port: TARGET_PORT }].into(),
            members: Vec::new(),
            calls: Vec::new(),
            called_by: Vec::new(),
            failing: false,
        }
    }

    /// `namespace/name`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(super) fn address(&self) -> IpAddr {
        nth(SERVICES, self.index + 1)
    }

    pub(super) fn member_mut(&mut self, serial: u64) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.pod.serial == serial)
    }

    pub(super) fn object(&self) -> KubernetesFact {
        KubernetesFact::Service(KubernetesService {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: uid(4, self.index.into()),
            service_type: ServiceType::ClusterIP,
            cluster_ips: vec![self.address()],
            external_ips: Vec::new(),
            load_balancer_ips: Vec::new(),
            external_name: None,
            ports: vec![ServicePort { name: "http".into(), port: PORT, node_port: None }],
            selector: self.labels.clone(),
            labels: self.labels.clone(),
            created_at: None,
        })
    }

    pub(super) fn slice(&self) -> KubernetesFact {
        let endpoint = |member: &Member| SliceEndpoint {
            addresses: vec![member.pod.address],
            ready: member.takes_connections(),
            serving: member.ready,
            terminating: member.leaving,
            pod: Some(member.pod.uid.clone()),
            node: Some(member.pod.node_name.clone()),
            zone: Some(member.pod.zone.clone()),
        };
        KubernetesFact::EndpointSlice(EndpointSlice {
            namespace: self.namespace.clone(),
            name: format!("{}-x7k2q", self.name).into(),
            service: self.name.clone(),
            endpoints: self.members.iter().map(endpoint).collect(),
            ports: vec![SlicePort { name: "http".into(), port: TARGET_PORT }],
        })
    }

    pub(super) fn pod_object(&self, member: &Member) -> KubernetesFact {
        let pod = &member.pod;
        KubernetesFact::Pod(Pod {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            ips: vec![pod.address],
            host_network: false,
            node: pod.node_name.clone(),
            owner: self.owner.clone(),
            labels: self.labels.clone(),
            container_ids: Vec::new(),
            container_ports: self.container_ports.clone(),
            phase: PodPhase::Running,
            ready: member.ready,
            started_at: None,
        })
    }
}
