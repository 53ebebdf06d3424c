//! What the kernel says about a process's BPF programs, links and maps: `/proc/PID/fdinfo`. It is the same for every
//! door, and it is not Servicemap's own word.

use std::collections::BTreeMap;
use std::fs;

/// The tracepoint at which connections are counted.
const STATE_TRACEPOINT: &str = "inet_sock_set_state";

/// The `key: value` lines of one descriptor.
type Descriptor = BTreeMap<String, String>;

/// All descriptors of a process. Empty once it has ended.
fn descriptors(pid: u32) -> Vec<Descriptor> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return Vec::new() };
    // A descriptor may be closed between the listing and the reading.
    entries
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .map(|text| parse(&text))
        .collect()
}

fn parse(text: &str) -> Descriptor {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn number(descriptor: &Descriptor, key: &str) -> Option<u64> {
    descriptor.get(key)?.parse().ok()
}

/// Whether the process counts connections from now on: its program hangs on the tracepoint.
pub fn is_attached(pid: u32) -> bool {
    descriptors(pid).iter().any(|link| {
        // `tp_name` since Linux 6.5, `raw_tp` before.
        ["tp_name", "raw_tp"].iter().any(|key| link.get(*key).is_some_and(|name| name == STATE_TRACEPOINT))
    })
}

/// Bytes of kernel memory that the maps of the process are charged for.
pub fn map_memory(pid: u32) -> u64 {
    let maps: BTreeMap<u64, u64> = descriptors(pid)
        .iter()
        // Several descriptors may be of one map.
        .filter_map(|map| Some((number(map, "map_id")?, number(map, "memlock")?)))
        .collect();
    maps.values().sum()
}

/// Nanoseconds that the programs of the process have run so far; 0 unless `kernel.bpf_stats_enabled` is 1.
pub fn run_time_nanos(pid: u32) -> u64 {
    let programs: BTreeMap<u64, u64> = descriptors(pid)
        .iter()
        .filter_map(|program| Some((number(program, "prog_id")?, number(program, "run_time_ns")?)))
        .collect();
    programs.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_read_by_its_keys() {
        let map = parse("pos:\t0\nmap_type:\t1\nmemlock:\t81424\nmap_id:\t39\n");
        assert_eq!(number(&map, "memlock"), Some(81_424));
        assert_eq!(number(&map, "map_id"), Some(39));
    }

    #[test]
    fn a_process_without_programs_is_not_attached() {
        assert!(!is_attached(std::process::id()));
        assert_eq!(map_memory(std::process::id()), 0);
    }
}
