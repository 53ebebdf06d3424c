//! What a cgroup's path says about who lives in it. Paths come from the kernel, directory names from whoever may make
//! cgroups: any bytes at all must pass.

use std::sync::Arc;

/// Length of a container id in paths: 256 bits in hex, as Docker, containerd, CRI-O and Podman write it.
const CONTAINER_ID_LENGTH: usize = 64;

/// Digits of it that are shown, as `docker ps` and `crictl ps` do (crictl shows 13).
const CONTAINER_NAME_LENGTH: usize = 12;

/// Who lives in a cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resident {
    /// A systemd unit: `nginx.service`.
    Unit(Arc<str>),
    /// A container: the first twelve digits of its id.
    Container(Arc<str>),
}

impl Resident {
    /// The name that the resident's service carries.
    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Self::Unit(name) | Self::Container(name) => name,
        }
    }
}

/// Reads a path such as `/system.slice/nginx.service`. `None` where the path names nobody (the root, login sessions,
/// slices): there the program's own name has to do.
///
/// A container beats the units that a systemd inside it makes; of nested containers, and of nested units, the innermost.
pub(crate) fn resident(path: &str) -> Option<Resident> {
    let innermost = || path.rsplit('/').filter(|segment| !segment.is_empty());
    innermost()
        .find_map(container)
        .map(|id| Resident::Container(id.get(..CONTAINER_NAME_LENGTH).unwrap_or(id).into()))
        .or_else(|| innermost().find(|segment| is_unit(segment)).map(|unit| Resident::Unit(unit.into())))
}

/// The full id of the innermost container of a path.
pub(crate) fn container_id(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(container)
}

/// The id in `docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope` (systemd driver),
/// `ID`, `crio-ID`, `libpod-ID` (cgroupfs driver) and `SLICE:cri-containerd:ID` (the systemd form of a path, given to
/// runc with the cgroupfs driver).
fn container(segment: &str) -> Option<&str> {
    let stem = segment.strip_suffix(".scope").unwrap_or(segment);
    let (prefix, id) = stem.rsplit_once(['-', ':']).unwrap_or(("", stem));
    // conmon supervises a container from outside of it, in a scope that carries the container's id.
    let is_container = !prefix.ends_with("conmon")
        && id.len() == CONTAINER_ID_LENGTH
        && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_container.then_some(id)
}

/// Whether a path's segment is a unit that runs programs of its own. `user@UID.service` is a user's whole session.
fn is_unit(segment: &str) -> bool {
    segment.strip_suffix(".service").is_some_and(|stem| !stem.is_empty() && !stem.starts_with("user@"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "4f1c8a5b09d2e37761f0a1b2c3d4e5f60718293a4b5c6d7e8f9012345678abcd";

    fn name_of(path: &str) -> Option<String> {
        resident(path).map(|resident| resident.name().to_string())
    }

    #[test]
    fn a_service_unit_is_named_by_its_unit() {
        assert_eq!(resident("/system.slice/nginx.service"), Some(Resident::Unit("nginx.service".into())));
        assert_eq!(
            name_of("/system.slice/system-getty.slice/getty@tty1.service").unwrap(),
            "getty@tty1.service"
        );
        assert_eq!(
            name_of("/system.slice/postgresql@15-main.service/workers").unwrap(),
            "postgresql@15-main.service"
        );
    }

    #[test]
    fn a_users_session_is_no_name_but_a_unit_in_it_is() {
        assert_eq!(name_of("/user.slice/user-1000.slice/session-3.scope"), None);
        assert_eq!(name_of("/user.slice/user-1000.slice/user@1000.service/init.scope"), None);
        let unit = "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service";
        assert_eq!(name_of(unit).unwrap(), "syncthing.service");
    }

    #[test]
    fn the_root_and_bare_slices_name_nobody() {
        for path in
            ["", "/", "//", "/system.slice", "/init.scope", "/.service", "/system.slice/docker.socket"]
        {
            assert_eq!(name_of(path), None, "{path}");
        }
    }

    #[test]
    fn containers_of_every_runtime_and_driver_are_named_by_the_short_id() {
        for path in [
            format!("/system.slice/docker-{ID}.scope"),
            format!("/machine.slice/libpod-{ID}.scope/container"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-{ID}.scope"
            ),
            format!("/kubepods.slice/kubepods-pod1_2.slice/crio-{ID}.scope"),
            format!("/docker/{ID}"),
            format!("/kubepods/besteffort/pod0b0c/{ID}"),
            format!("/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:{ID}"),
            format!("/libpod_parent/libpod-{ID}"),
        ] {
            assert_eq!(resident(&path), Some(Resident::Container(ID[..12].into())), "{path}");
        }
    }

    #[test]
    fn a_container_beats_the_units_inside_it() {
        assert_eq!(name_of(&format!("/docker/{ID}/system.slice/nginx.service")).unwrap(), &ID[..12]);
    }

    #[test]
    fn the_monitor_of_a_container_is_not_the_container() {
        assert_eq!(name_of(&format!("/machine.slice/libpod-conmon-{ID}.scope")), None);
    }

    #[test]
    fn an_id_of_another_length_or_alphabet_is_no_container() {
        assert_eq!(name_of(&format!("/docker/{}", &ID[1..])), None);
        assert_eq!(name_of(&format!("/docker/{}", ID.to_uppercase())), None);
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in ".*") {
            resident(&path);
        }

        #[test]
        fn names_are_never_empty_and_never_hold_a_slash(path in "(/[a-f0-9:@.-]{0,70}(\\.service|\\.scope)?){0,5}") {
            if let Some(resident) = resident(&path) {
                prop_assert!(!resident.name().is_empty() && !resident.name().contains('/'));
            }
        }
    }
}
