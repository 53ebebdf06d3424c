//! What counting needs of this machine and of this process, for `servicemap check` and for errors that say the mend.

use super::{CaptureError, offsets};

/// Where the kernel describes itself.
pub(super) const BTF_PATH: &str = "/sys/kernel/btf/vmlinux";

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    Ok,
    /// It is not, and something less good stands in.
    Degraded,
    /// It is not, and nothing can be counted without it.
    Missing,
}

/// One thing that counting needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its name.
    pub name: &'static str,
    /// Whether it is there.
    pub state: State,
    /// What was found.
    pub found: String,
    /// How to mend what is missing; empty when nothing is.
    pub mend: String,
}

/// A kernel version: major, minor.
pub(super) type Version = (u32, u32);

/// The oldest kernel that has what is needed.
pub(super) const FLOOR: Version = (5, 15);

/// The kernel's release, as `uname -r` says.
pub(super) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The version in a release such as `6.1.0-56-cloud-amd64`.
pub(super) fn version(release: &str) -> Option<Version> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Effective capabilities of this process, as a bit set; `None` when /proc does not say.
fn capabilities() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

const fn holds(set: u64, capability: u32) -> bool {
    set >> capability & 1 == 1 || set >> CAP_SYS_ADMIN & 1 == 1
}

/// Fails when a capability that is needed is missing.
pub(super) fn check_capabilities() -> Result<(), CaptureError> {
    // Where /proc does not say, the kernel will.
    let Some(set) = capabilities() else { return Ok(()) };
    let which = match (holds(set, CAP_BPF), holds(set, CAP_PERFMON)) {
        (true, true) => return Ok(()),
        (false, false) => "CAP_BPF and CAP_PERFMON",
        (false, true) => "CAP_BPF",
        (true, false) => "CAP_PERFMON",
    };
    Err(CaptureError::MissingCapability { which })
}

/// Reads the kernel's type information.
pub(super) fn read_btf() -> Result<Vec<u8>, CaptureError> {
    std::fs::read(BTF_PATH)
        .map_err(|error| CaptureError::NoBtf { path: BTF_PATH.to_owned(), reason: error.to_string() })
}

/// Everything that counting needs, with what is there of it.
#[must_use]
pub fn requirements() -> Vec<Requirement> {
    let ok = |name, found: String| Requirement { name, state: State::Ok, found, mend: String::new() };
    let not =
        |name, state, found: String, mend: &str| Requirement { name, state, found, mend: mend.to_owned() };
    let mut all = Vec::new();

    let release = release();
    all.push(match version(&release) {
        Some(version) if version < FLOOR => not(
            "kernel",
            State::Missing,
            format!("Linux {release}"),
            "counting connections needs Linux 5.15 or newer",
        ),
        _ => ok("kernel", format!("Linux {release}")),
    });

    let held = capabilities();
    for (name, capability) in [("CAP_BPF", CAP_BPF), ("CAP_PERFMON", CAP_PERFMON)] {
        all.push(match held {
            Some(set) if !holds(set, capability) => not(
                name,
                State::Missing,
                "not held".to_owned(),
                "run as root, or: setcap cap_bpf,cap_perfmon+ep PATH",
            ),
            Some(_) => ok(name, "held".to_owned()),
            None => not(
                name,
                State::Degraded,
                "unknown: /proc/self/status cannot be read".to_owned(),
                "mount /proc",
            ),
        });
    }

    let resolved = read_btf().map_err(|error| error.to_string()).and_then(|data| {
        offsets::resolve(&data).map_err(|error| format!("the kernel's type information lacks {error}"))
    });
    match resolved {
        Err(error) => {
            all.push(not("BTF", State::Missing, error, "use a kernel with CONFIG_DEBUG_INFO_BTF=y"));
        }
        Ok(offsets) => {
            all.push(ok("BTF", BTF_PATH.to_owned()));
            all.push(if offsets.typed_state {
                ok("tp_btf inet_sock_set_state", "present".to_owned())
            } else {
                not(
                    "tp_btf inet_sock_set_state",
                    State::Degraded,
                    "absent: a raw tracepoint is used".to_owned(),
                    "",
                )
            });
            all.push(if offsets.walk {
                ok("iterator task_file", "present".to_owned())
            } else {
                not(
                    "iterator task_file",
                    State::Degraded,
                    "absent: connections from before the start are seen when they end".to_owned(),
                    "use a kernel with CONFIG_BPF_SYSCALL and /proc",
                )
            });
            all.push(if offsets.cgroup_mkdir {
                ok("tp_btf cgroup_mkdir", "present".to_owned())
            } else {
                not(
                    "tp_btf cgroup_mkdir",
                    State::Degraded,
                    "absent: containers that live less than a second may stay without a name".to_owned(),
                    "use a kernel with CONFIG_CGROUPS",
                )
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_versions() {
        assert_eq!(version("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert_eq!(version("5.15"), Some((5, 15)));
        assert_eq!(version("7.2-rc1"), Some((7, 2)));
        assert_eq!(version("unknown"), None);
        assert!((5, 10) < FLOOR && (5, 15) >= FLOOR && (6, 0) >= FLOOR);
    }

    #[test]
    fn every_capability_has_its_sentence() {
        assert!(
            holds(1 << CAP_BPF, CAP_BPF)
                && !holds(1 << CAP_BPF, CAP_PERFMON)
                && holds(1 << CAP_SYS_ADMIN, CAP_PERFMON)
        );
        let text = CaptureError::MissingCapability { which: "CAP_BPF and CAP_PERFMON" }.to_string();
        assert!(text.contains("setcap cap_bpf,cap_perfmon+ep"), "{text}");
    }
}
