//! Pods, of which there are more than of anything else: what is kept of one, and what follows when one comes, changes or
//! goes.

use std::hash::{Hash as _, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use super::find::workload;
use super::learn::{Touched, remove_from, service_id};
use super::owners::Owner;
use super::{Cluster, Kept, Key};
use crate::collections::Keyed;
use crate::model::{ContainerPort, Labels, Pod, PodOwner, Timestamp};

/// What is kept of a pod. Of ten thousand pods each field counts: what tells nothing once the fact was taken (its
/// phase, when it began) is left out, rows have no spare room, and what pods of one owner have in common they share.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KnownPod {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Arc<str>,
    pub(crate) owner: Arc<PodOwner>,
    pub(crate) node: Arc<str>,
    pub(crate) labels: Labels,
    pub(crate) ips: Box<[IpAddr]>,
    pub(crate) container_ports: Arc<[ContainerPort]>,
    containers: Box<[Arc<str>]>,
    pub(crate) host_network: bool,
    pub(crate) ready: bool,
}

impl Keyed for KnownPod {
    type Key = str;

    fn has_key(&self, uid: &str) -> bool {
        *self.uid == *uid
    }

    fn hash_key(&self, hasher: &mut impl Hasher) {
        self.uid.hash(hasher);
    }
}

impl KnownPod {
    fn of(pod: Pod) -> Self {
        Self {
            namespace: pod.namespace,
            name: pod.name,
            uid: pod.uid,
            owner: pod.owner,
            node: pod.node,
            labels: pod.labels,
            ips: pod.ips.into(),
            container_ports: pod.container_ports,
            containers: pod.container_ids.into(),
            host_network: pod.host_network,
            ready: pod.ready,
        }
    }

    /// Whether one of its containers declares a port.
    pub(crate) fn declares(&self, port: u16) -> bool {
        self.container_ports.iter().any(|declared| declared.port == port)
    }

    fn owner_key(&self) -> Key {
        (self.namespace.clone(), self.owner.name.clone())
    }
}

impl Cluster {
    pub(super) fn set_pod(&mut self, pod: Pod, at: Timestamp, touched: &mut Touched) {
        let mut from = pod.started_at.unwrap_or(at).min(at);
        let is_over = pod.phase.is_over();
        let pod = KnownPod::of(pod);
        let uid = pod.uid.clone();
        if let Some(known) = self.pods.get(&uid) {
            let says_nothing_new = known.object == pod && known.from <= from && !is_over;
            if known.ended.is_some() || says_nothing_new {
                return;
            }
            from = from.min(known.from);
            self.withdraw_pod(&uid, &pod, at, touched);
        } else if self.is_full(touched) {
            return;
        }
        for container in &pod.containers {
            self.containers.insert(container.clone(), uid.clone());
        }
        self.owned.entry(pod.owner_key()).or_default().insert(uid.clone());
        if pod.host_network {
            self.host_pods.entry(pod.node.clone()).or_default().insert(uid.clone());
            touched.everything = true;
        } else {
            for address in &pod.ips {
                self.owners.begin(*address, &Owner::Pod(uid.clone()), from);
            }
        }
        let was_there = self.pods.get(&uid).is_some();
        self.pods.insert(&uid, Kept { object: pod, from, ended: None });
        self.touch_pod(&uid, touched);
        if !was_there {
            self.touch_endpoints_of(&uid, touched);
        }
        if is_over {
            self.end_pod(&uid, at, touched);
        }
    }

    /// Endpoints in slices that came before their pod have its name now.
    fn touch_endpoints_of(&self, uid: &Arc<str>, touched: &mut Touched) {
        let Some(pod) = self.pods.get(uid) else { return };
        for place in self.members.of(uid) {
            let service = (pod.object.namespace.clone(), place.offer.service.clone());
            touched.declared.insert(service_id(&service));
        }
    }

    /// Takes back what a pod had and has no longer.
    fn withdraw_pod(&mut self, uid: &Arc<str>, now: &KnownPod, at: Timestamp, touched: &mut Touched) {
        let Some(Kept { object: known, .. }) = self.pods.get(uid) else { return };
        for address in known.ips.iter().filter(|address| !now.ips.contains(address)) {
            self.owners.end(*address, &Owner::Pod(uid.clone()), at);
            touched.addresses.insert(address.to_canonical());
        }
        for container in known.containers.iter().filter(|container| !now.containers.contains(container)) {
            self.containers.remove(container);
        }
        if known.owner_key() != now.owner_key() {
            remove_from(&mut self.owned, &known.owner_key(), uid);
        }
        if known.node != now.node {
            remove_from(&mut self.host_pods, &known.node, uid);
        }
        touched.declared.insert(workload(known).id());
    }

    pub(super) fn end_pod(&mut self, uid: &Arc<str>, at: Timestamp, touched: &mut Touched) {
        let Some(pod) = self.pods.get_mut(uid).filter(|pod| pod.ended.is_none()) else { return };
        pod.ended = Some(at);
        for address in &pod.object.ips {
            self.owners.end(*address, &Owner::Pod(uid.clone()), at);
        }
        self.ended_pods.push_back((at, uid.clone()));
        self.touch_pod(uid, touched);
    }

    pub(super) fn forget_pod(&mut self, uid: &Arc<str>) {
        self.members.forget(uid);
        let Some(Kept { object: pod, .. }) = self.pods.remove(uid) else { return };
        for container in &pod.containers {
            self.containers.remove(container);
        }
        remove_from(&mut self.owned, &pod.owner_key(), uid);
        remove_from(&mut self.host_pods, &pod.node, uid);
    }

    /// A pod may be called differently, and its workload may come or go by that.
    pub(super) fn touch_pod(&self, uid: &Arc<str>, touched: &mut Touched) {
        let Some(pod) = self.pods.get(uid) else { return };
        touched.pods.insert(uid.clone());
        touched.addresses.extend(pod.object.ips.iter().map(IpAddr::to_canonical));
        touched.declared.insert(workload(&pod.object).id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{KubernetesFact, PodPhase};

    fn pod(owner: &str, container: &str) -> Pod {
        Pod {
            namespace: "shop".into(),
            name: "web-1".into(),
            uid: "u-1".into(),
            ips: Vec::new(),
            host_network: false,
            node: "".into(),
            owner: PodOwner { kind: "ReplicaSet".into(), name: owner.into(), uid: "".into() }.into(),
            labels: Labels::default(),
            container_ids: vec![container.into()],
            container_ports: Arc::new([]),
            phase: PodPhase::Running,
            ready: true,
            started_at: None,
        }
    }

    fn told(pods: [Pod; 2]) -> Cluster {
        let mut cluster = Cluster::default();
        for pod in pods {
            cluster.learn(KubernetesFact::Pod(pod), Timestamp::from_nanos(1));
        }
        cluster
    }

    #[test]
    fn a_container_that_was_started_anew_leaves_nothing_behind() {
        let cluster = told([pod("web", "a"), pod("web", "b")]);
        assert_eq!(cluster.pod("unknown", Some("b")).map(|uid| &**uid), Some("u-1"));
        assert_eq!(cluster.pod("unknown", Some("a")), None);
        assert_eq!(cluster.containers.len(), 1);
    }

    #[test]
    fn a_pod_whose_owner_turns_out_to_be_another_is_that_ones_alone() {
        let cluster = told([pod("web-5d4f9", "a"), pod("web", "a")]);
        let pods_of = |owner: &str| cluster.own_pods(&("shop".into(), owner.into())).count();
        assert_eq!((pods_of("web-5d4f9"), pods_of("web")), (0, 1));
    }
}
