//! Which pod a cgroup belongs to, by its path.

use std::sync::Arc;

use super::cgroup::container_id;

/// Length of a UID: a UUID with its hyphens.
const UID_LENGTH: usize = 36;

/// Length of the UID of a static pod, which is a hash of its manifest in hex.
const HASH_LENGTH: usize = 32;

/// What a path says about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PodPath {
    /// UID of the pod, as the kubelet has it.
    pub(crate) uid: Arc<str>,
    /// Full id of the container.
    pub(crate) container: Option<Arc<str>>,
}

/// Reads the path of a pod's cgroup, or of one inside it; `None` where the path is no pod's.
///
/// Forms: `/kubepods/burstable/podUID/ID` (cgroupfs driver), `/kubepods.slice/kubepods-burstable.slice/
/// kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope` (systemd driver: hyphens of the UID are underscores), and
/// `kubepods-burstable-podU_I_D.slice:cri-containerd:ID` (the systemd form given to the cgroupfs driver).
pub(crate) fn pod_path(path: &str) -> Option<PodPath> {
    let uid = path.rsplit('/').find_map(uid)?;
    Some(PodPath { uid: uid.into(), container: container_id(path).map(Into::into) })
}

fn uid(segment: &str) -> Option<String> {
    let slice = segment.split(':').next()?;
    let stem = slice.strip_suffix(".slice").unwrap_or(slice);
    let uid = match stem.strip_prefix("pod") {
        Some(uid) => uid,
        None => stem.rsplit_once("-pod").filter(|(parents, _)| parents.contains("kubepods"))?.1,
    };
    let uid = uid.replace('_', "-");
    let digits = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let hyphens = uid.bytes().filter(|byte| *byte == b'-').count();
    let is_uid = uid.len() == UID_LENGTH && hyphens == 4 && digits == UID_LENGTH - 4;
    let is_hash = uid.len() == HASH_LENGTH && digits == HASH_LENGTH;
    (is_uid || is_hash).then_some(uid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UID: &str = "0b0c5a8e-3b7c-4a52-9e61-c4d2f08b71a3";
    const ID: &str = "4f1c8a5b09d2e37761f0a1b2c3d4e5f60718293a4b5c6d7e8f9012345678abcd";

    #[test]
    fn the_uid_is_found_in_the_paths_of_every_driver_and_runtime() {
        let low = UID.replace('-', "_");
        for path in [
            format!("/kubepods/besteffort/pod{UID}/{ID}"),
            format!("/kubepods/pod{UID}/crio-{ID}"),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{low}.slice/cri-containerd-{ID}.scope"
            ),
            format!("/kubepods.slice/kubepods-pod{low}.slice/crio-{ID}.scope"),
            format!("/kubepods.slice/kubepods-pod{low}.slice/docker-{ID}.scope/inner"),
            format!("/system.slice/containerd.service/kubepods-burstable-pod{low}.slice:cri-containerd:{ID}"),
            format!("/kubelet.slice/kubelet-kubepods-pod{low}.slice/cri-containerd-{ID}.scope"),
        ] {
            let found = PodPath { uid: UID.into(), container: Some(ID.into()) };
            assert_eq!(pod_path(&path), Some(found), "{path}");
        }
    }

    #[test]
    fn a_static_pod_has_the_hash_of_its_manifest() {
        let found = pod_path("/kubepods/pod0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!((&*found.uid, found.container), ("0123456789abcdef0123456789abcdef", None));
    }

    #[test]
    fn other_paths_are_no_pods() {
        for path in ["/", "/kubepods.slice", "/system.slice/podman.service", "/kubepods/pod1_2", "/podcasts"]
        {
            assert_eq!(pod_path(path), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in ".*") {
            pod_path(&path);
        }
    }
}
