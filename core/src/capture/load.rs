//! Loading and attaching: offsets from the running kernel, sizes from the settings, the best hook that the kernel takes.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{Array, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::{BtfTracePoint, Iter, Program, RawTracePoint};
use aya::{Btf, Ebpf, EbpfLoader};

use super::decode::Names;
use super::error::one_line;
use super::generations::Generations;
use super::ledger::Ledger;
use super::offsets::{self, Offsets};
use super::requirements::{FLOOR, check_capabilities, read_btf, release, version};
use super::settings::{CaptureSettings, Hook, HookChoice};
use super::{Capture, CaptureError, Losses, drain, sys};

/// The kernel side, compiled by `core-ebpf/build.sh`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("servicemap.bpf.o");

/// Below it arm64 kernels have no atomic operations that return a value.
const ARM64_ATOMICS: (u32, u32) = (5, 18);
/// MPTCP connections and listeners at a time: their state is in the map with any hook.
const MPTCP_SOCKETS: u32 = 2_048;
const STATE: &str = "inet_sock_set_state";

pub(super) fn start(settings: &CaptureSettings) -> Result<Capture, CaptureError> {
    let started = load_best(settings);
    sys::give_memory_back();
    started
}

fn load_best(settings: &CaptureSettings) -> Result<Capture, CaptureError> {
    let release = release();
    let version = version(&release);
    if version.is_some_and(|version| version < FLOOR) {
        return Err(CaptureError::KernelTooOld { release });
    }
    check_capabilities()?;
    let data = read_btf()?;
    let offsets = offsets::resolve(&data)
        .map_err(|what| CaptureError::Unsupported { what: what.to_string(), release: release.clone() })?;
    let btf = Btf::parse(&data, aya::Endianness::default()).map_err(|error| CaptureError::NoBtf {
        path: super::requirements::BTF_PATH.to_owned(),
        reason: one_line(&error),
    })?;
    drop(data);

    let plain_atomics =
        cfg!(target_arch = "aarch64") && version.is_some_and(|version| version < ARM64_ATOMICS);
    let hooks: &[Hook] = match settings.hook {
        HookChoice::TpBtf => &[Hook::TpBtf],
        HookChoice::Auto if offsets.typed_state => &[Hook::TpBtf, Hook::RawTp],
        HookChoice::Auto | HookChoice::RawTp => &[Hook::RawTp],
    };
    let mut refused = None;
    for hook in hooks {
        // A hook that the kernel refuses needs other map sizes than the next one: begin afresh.
        match attach(settings, *hook, &offsets, &btf, plain_atomics) {
            Ok(capture) => return Ok(capture),
            Err(error) => {
                tracing::debug!(?hook, %error, "hook refused");
                refused.get_or_insert(error);
            }
        }
    }
    Err(refused.unwrap_or(CaptureError::Object { missing: "hook" }))
}

fn attach(
    settings: &CaptureSettings,
    hook: Hook,
    offsets: &Offsets,
    btf: &Btf,
    plain_atomics: bool,
) -> Result<Capture, CaptureError> {
    let mut ebpf = load(settings, hook, offsets, plain_atomics)?;
    attach_state(&mut ebpf, hook, btf)?;
    // What follows makes the map richer; without it the main job goes on.
    let walk = offsets.walk.then(|| attach_walk(&mut ebpf, hook, btf)).transpose().unwrap_or_else(|error| {
        tracing::warn!(%error, "connections from before the start are seen only when they end");
        None
    });
    let has_storage = offsets.refresh && hook == Hook::TpBtf;
    let refresh = has_storage.then(|| attach_refresh(&mut ebpf, btf)).transpose().unwrap_or_else(|error| {
        tracing::warn!(%error, "bytes of open connections are told only when they end");
        None
    });
    let mut cgroups = None;
    if offsets.cgroup_mkdir {
        match attach_cgroups(&mut ebpf, btf) {
            Ok(()) => cgroups = Some(take::<RingBuf<MapData>>(&mut ebpf, "CGROUPS")?),
            Err(error) => {
                tracing::warn!(%error, "containers that live less than a second may stay without a name");
            }
        }
    }
    Ok(Capture {
        hook,
        flows: [take_hash(&mut ebpf, "FLOWS_A")?, take_hash(&mut ebpf, "FLOWS_B")?],
        flow_entries: usize::try_from(settings.flow_entries).unwrap_or(usize::MAX),
        active: 0,
        states: take_hash(&mut ebpf, "SOCKETS")?,
        generations: Generations::new(settings.generation_entries),
        control: take::<Array<MapData, u64>>(&mut ebpf, "CONTROL")?,
        counters: take::<PerCpuArray<MapData, u64>>(&mut ebpf, "COUNTERS")?,
        announce: take::<RingBuf<MapData>>(&mut ebpf, "ANNOUNCE")?,
        cgroups,
        walk,
        refresh,
        ledger: Ledger::default(),
        seen: None,
        mended: 0,
        residual: 0,
        names: Names::default(),
        known: HashSet::new(),
        buffer: drain::Buffer::default(),
        sequence: 0,
        clock: crate::clock::Clock::default(),
        told: Losses::default(),
        healed: Losses::default(),
        ebpf,
    })
}

fn load(
    settings: &CaptureSettings,
    hook: Hook,
    offsets: &Offsets,
    plain_atomics: bool,
) -> Result<Ebpf, CaptureError> {
    let mut loader = EbpfLoader::new();
    for (global, value) in &offsets.globals {
        loader.override_global(global, value, true);
    }
    let netns = settings.netns.unwrap_or(0);
    let fold_after = settings.flow_entries / 4 * 3;
    let plain = u32::from(plain_atomics);
    loader.override_global("FILTER_NETNS", &netns, true);
    loader.override_global("FOLD_AFTER", &fold_after, true);
    loader.override_global("PLAIN_ATOMICS", &plain, true);
    loader.map_max_entries("FLOWS_A", settings.flow_entries.max(1));
    loader.map_max_entries("FLOWS_B", settings.flow_entries.max(1));
    loader.map_max_entries("GENERATIONS", settings.generation_entries.max(1));
    loader.map_max_entries("LISTENERS", settings.listener_entries.max(1));
    loader.map_max_entries(
        "SOCKETS",
        if hook == Hook::RawTp { settings.raw_socket_entries.max(1) } else { MPTCP_SOCKETS },
    );
    loader.load(OBJECT).map_err(|error| CaptureError::Load { reason: one_line(&error) })
}

fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, CaptureError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = aya::programs::ProgramError>,
{
    let program = ebpf.program_mut(name).ok_or(CaptureError::Object { missing: name })?;
    program.try_into().map_err(CaptureError::program(name))
}

fn attach_state(ebpf: &mut Ebpf, hook: Hook, btf: &Btf) -> Result<(), CaptureError> {
    let name = hook.program();
    let failed = CaptureError::program(name);
    match hook {
        Hook::TpBtf => {
            let program: &mut BtfTracePoint = program(ebpf, name)?;
            program.load(STATE, btf).map_err(&failed)?;
            program.attach().map_err(&failed)?;
        }
        Hook::RawTp => {
            let program: &mut RawTracePoint = program(ebpf, name)?;
            program.load().map_err(&failed)?;
            program.attach(STATE).map_err(&failed)?;
        }
    }
    Ok(())
}

/// The link is held: new walks from it need no capability.
fn attach_walk(ebpf: &mut Ebpf, hook: Hook, btf: &Btf) -> Result<OwnedFd, CaptureError> {
    let name = hook.walk();
    let failed = CaptureError::program(name);
    let program: &mut Iter = program(ebpf, name)?;
    program.load("task_file", btf).map_err(&failed)?;
    let fd = program.fd().map_err(&failed)?;
    sys::iterator_link(fd.as_fd())
        .map_err(|source| CaptureError::Kernel { doing: "link the walk over open sockets", source })
}

/// As [`attach_walk`], over the storage of sockets.
fn attach_refresh(ebpf: &mut Ebpf, btf: &Btf) -> Result<OwnedFd, CaptureError> {
    let name = "refresh";
    let failed = CaptureError::program(name);
    let linked = |source| CaptureError::Kernel { doing: "link the walk over sockets' storage", source };
    let program: &mut Iter = program(ebpf, name)?;
    program.load("bpf_sk_storage_map", btf).map_err(&failed)?;
    let fd = program.fd().map_err(&failed)?.try_clone().map_err(linked)?;
    let Some(Map::SkStorage(storage)) = ebpf.map("STORAGE") else {
        return Err(CaptureError::Object { missing: "STORAGE" });
    };
    sys::map_iterator_link(fd.as_fd(), storage.fd().as_fd()).map_err(linked)
}

fn attach_cgroups(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), CaptureError> {
    let name = "cgroup_made";
    let failed = CaptureError::program(name);
    let program: &mut BtfTracePoint = program(ebpf, name)?;
    program.load("cgroup_mkdir", btf).map_err(&failed)?;
    program.attach().map_err(&failed)?;
    Ok(())
}

fn take<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, CaptureError>
where
    T: TryFrom<Map, Error = aya::maps::MapError>,
{
    let map = ebpf.take_map(name).ok_or(CaptureError::Object { missing: name })?;
    T::try_from(map).map_err(CaptureError::map(name))
}

fn take_hash(ebpf: &mut Ebpf, name: &'static str) -> Result<MapData, CaptureError> {
    match ebpf.take_map(name) {
        Some(Map::HashMap(data)) => Ok(data),
        _ => Err(CaptureError::Object { missing: name }),
    }
}

/// The descriptor of a map that the programs keep to themselves.
pub(super) fn map_fd(map: &Map) -> Option<i32> {
    match map {
        Map::HashMap(data) | Map::SkStorage(data) | Map::Array(data) | Map::RingBuf(data) => {
            Some(sys::raw(data.fd()))
        }
        _ => None,
    }
}
