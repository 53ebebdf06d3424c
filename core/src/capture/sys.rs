//! System calls that neither the standard library nor aya nor rustix offer: batches of map entries, iterators from a
//! held link, program figures, the grace period. The only `unsafe` code of the capture.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_attr__bindgen_ty_14__bindgen_ty_3__bindgen_ty_1, bpf_cmd, bpf_prog_info,
};

use super::ProgramInfo;

/// A file descriptor's number.
pub(super) fn raw(fd: impl AsFd) -> i32 {
    fd.as_fd().as_raw_fd()
}

/// An attribute union with every byte zero, as the kernel wants unused ones.
fn attributes() -> bpf_attr {
    // SAFETY: a C union of integers; all-zero bytes are a value of it.
    unsafe { std::mem::zeroed() }
}

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i32> {
    let size = size_of::<bpf_attr>();
    // SAFETY: `attr` is a whole union, and each caller sets pointers in it to memory that is alive and as large as it
    // says until this returns.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor for us, and nobody else knows of it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn kernel_fd(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// A place in a walk over a hash map, as the kernel gave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u32);

/// What a batch brought.
#[derive(Debug)]
pub(super) struct Batch {
    /// How many entries.
    pub(super) entries: usize,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<Place>,
}

/// Whether a batch leaves the map as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batching {
    /// Its entries are removed.
    Take,
    /// They stay.
    Look,
}

/// Reads entries of a hash map or takes them out, as many as fit into the buffers, which hold `key` and `value` bytes each. The error
/// is `ENOSPC` when not even one bucket of the map fits.
pub(super) fn batch(
    map: BorrowedFd<'_>,
    batching: Batching,
    from: Option<Place>,
    (keys, key): (&mut [u8], usize),
    (values, value): (&mut [u8], usize),
) -> io::Result<Batch> {
    let room = (keys.len() / key.max(1)).min(values.len() / value.max(1));
    let mut next = 0_u32;
    let mut attr = attributes();
    let start = from.map(|place| place.0);
    // SAFETY: writing plain integers into the union's `batch` view.
    let batch = unsafe { &mut attr.batch };
    batch.in_batch = start.as_ref().map_or(0, |place| std::ptr::from_ref(place) as u64);
    batch.out_batch = &raw mut next as u64;
    batch.keys = keys.as_mut_ptr() as u64;
    batch.values = values.as_mut_ptr() as u64;
    batch.count = u32::try_from(room).unwrap_or(u32::MAX);
    batch.map_fd = kernel_fd(map);
    // The buffers have room for `count` keys and values of the sizes that the caller knows the map to have.
    let result = match batching {
        Batching::Take => bpf(bpf_cmd::BPF_MAP_LOOKUP_AND_DELETE_BATCH, &mut attr),
        Batching::Look => bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr),
    };
    // SAFETY: the kernel has written an integer there.
    let taken = usize::try_from(unsafe { attr.batch.count }).unwrap_or(0).min(room);
    match result {
        Ok(_) => Ok(Batch { entries: taken, next: Some(Place(next)) }),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Batch { entries: taken, next: None }),
        Err(error) => Err(error),
    }
}

/// The first key of a hash map; false when it is empty.
pub(super) fn first_key(map: BorrowedFd<'_>, key: &mut [u8]) -> io::Result<bool> {
    let mut attr = attributes();
    attr.__bindgen_anon_2.map_fd = kernel_fd(map);
    attr.__bindgen_anon_2.key = 0;
    attr.__bindgen_anon_2.__bindgen_anon_1.next_key = key.as_mut_ptr() as u64;
    match bpf(bpf_cmd::BPF_MAP_GET_NEXT_KEY, &mut attr) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads an entry of a hash map and removes it.
pub(super) fn take(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    for command in [bpf_cmd::BPF_MAP_LOOKUP_ELEM, bpf_cmd::BPF_MAP_DELETE_ELEM] {
        let mut attr = attributes();
        attr.__bindgen_anon_2.map_fd = kernel_fd(map);
        attr.__bindgen_anon_2.key = key.as_ptr() as u64;
        if command == bpf_cmd::BPF_MAP_LOOKUP_ELEM {
            attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
        }
        bpf(command, &mut attr)?;
    }
    Ok(())
}

/// Makes a link for an iterator program.
pub(super) fn iterator_link(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = attributes();
    attr.link_create.__bindgen_anon_1.prog_fd = kernel_fd(program);
    attr.link_create.attach_type = bpf_attach_type::BPF_TRACE_ITER as u32;
    bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr).map(owned)
}

/// Makes a link for an iterator program that walks over a map.
pub(super) fn map_iterator_link(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// `union bpf_iter_link_info`, whose members for other iterators the kernel takes as zero.
    #[repr(C)]
    struct LinkInfo {
        map_fd: u32,
    }
    let info = LinkInfo { map_fd: kernel_fd(map) };
    let mut attr = attributes();
    attr.link_create.__bindgen_anon_1.prog_fd = kernel_fd(program);
    attr.link_create.attach_type = bpf_attach_type::BPF_TRACE_ITER as u32;
    attr.link_create.__bindgen_anon_3.__bindgen_anon_1 =
        bpf_attr__bindgen_ty_14__bindgen_ty_3__bindgen_ty_1 {
            iter_info: &raw const info as u64,
            iter_info_len: u32::try_from(size_of::<LinkInfo>()).unwrap_or(0),
        };
    bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr).map(owned)
}

/// Begins a walk of a linked iterator. Needs no capability.
pub(super) fn iterator(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = attributes();
    attr.iter_create.link_fd = kernel_fd(link);
    bpf(bpf_cmd::BPF_ITER_CREATE, &mut attr).map(owned)
}

/// A program's own figures.
pub(super) fn program_info(program: impl AsFd) -> io::Result<ProgramInfo> {
    // SAFETY: a C struct of integers; all-zero bytes are a value of it, and ask for no arrays.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    let mut attr = attributes();
    attr.info.bpf_fd = kernel_fd(program.as_fd());
    attr.info.info_len = u32::try_from(size_of::<bpf_prog_info>()).unwrap_or(0);
    attr.info.info = &raw mut info as u64;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(ProgramInfo {
        runs: info.run_cnt,
        run_time_ns: info.run_time_ns,
        recursion_misses: info.recursion_misses,
    })
}

/// Waits until no program that was running when this was called still is.
pub(super) fn grace_period() {
    const MEMBARRIER_CMD_GLOBAL: i32 = 1;
    /// Where the kernel refuses (`nohz_full`): far longer than any program runs.
    const INSTEAD: Duration = Duration::from_millis(20);
    // SAFETY: a system call on integers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        std::thread::sleep(INSTEAD);
    }
}

/// Gives freed memory back to the system: reading the kernel's type information takes tens of MiB for a moment, which
/// glibc would keep for ever.
pub(super) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer and leaves every allocation as it is; any thread may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets large allocations come from the system one by one, for this whole process: glibc would take them from its heap once a
/// large one was freed, where what is only reserved is written with zeros and stays resident. 4.6 MiB of an agent at rest.
#[cfg(feature = "cli")]
pub(crate) fn keep_large_allocations_apart() {
    /// In bytes; where glibc begins is 128 KiB, which buffers that come and go would meet all the time.
    #[cfg(target_env = "gnu")]
    const LARGE: i32 = 1 << 20;
    #[cfg(target_env = "gnu")]
    // SAFETY: takes two integers and leaves every allocation as it is; called before there are threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// What the kernel accounts for a map, in bytes.
pub(super) fn map_memory(fd: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

/// An IPv4 address as the kernel takes it.
#[cfg(test)]
fn socket_address(address: [u8; 4], port: u16) -> libc::sockaddr_in {
    // SAFETY: a C struct of integers; all-zero bytes are a value of it.
    let mut socket: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    socket.sin_family = u16::try_from(libc::AF_INET).unwrap_or(0);
    socket.sin_port = port.to_be();
    socket.sin_addr.s_addr = u32::from_ne_bytes(address);
    socket
}

#[cfg(test)]
fn size<T>(_: &T) -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

#[cfg(test)]
const IPPROTO_MPTCP: i32 = 262;

#[cfg(test)]
fn stream_socket(protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: a system call on integers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, protocol) };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(owned(fd)) }
}

#[cfg(test)]
fn checked(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A listening socket as Go ≥ 1.24 makes it.
#[cfg(test)]
pub(super) fn mptcp_listener(port: u16) -> io::Result<std::net::TcpListener> {
    let socket = stream_socket(IPPROTO_MPTCP)?;
    let address = socket_address([0, 0, 0, 0], port);
    // SAFETY: plain system calls on our descriptor; the address is a whole `sockaddr_in`.
    unsafe {
        checked(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size(&address)))?;
        checked(libc::listen(socket.as_raw_fd(), 128))?;
    }
    Ok(socket.into())
}

/// A connection as a client makes it that wants several paths.
#[cfg(test)]
pub(super) fn mptcp_connect(to: [u8; 4], port: u16) -> io::Result<std::net::TcpStream> {
    let socket = stream_socket(IPPROTO_MPTCP)?;
    let address = socket_address(to, port);
    // SAFETY: a system call on our descriptor; the address is a whole `sockaddr_in`.
    checked(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size(&address)) })?;
    Ok(socket.into())
}

/// A connection to a local port as a transparent proxy makes it: from an address that is not this machine's.
#[cfg(test)]
pub(super) fn transparent_connect(from: [u8; 4], port: u16) -> io::Result<std::net::TcpStream> {
    let socket = stream_socket(0)?;
    let (from, to) = (socket_address(from, 0), socket_address([127, 0, 0, 1], port));
    let yes = 1_i32;
    // SAFETY: plain system calls on our descriptor; option and addresses are whole.
    unsafe {
        checked(libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_TRANSPARENT,
            (&raw const yes).cast(),
            size(&yes),
        ))?;
        checked(libc::bind(socket.as_raw_fd(), (&raw const from).cast(), size(&from)))?;
        checked(libc::connect(socket.as_raw_fd(), (&raw const to).cast(), size(&to)))?;
    }
    Ok(socket.into())
}

/// Drops whatever comes to a socket, as a network that leads nowhere does; [`undeafen`] ends it.
#[cfg(test)]
pub(super) fn deafen(socket: impl AsFd) -> io::Result<()> {
    // A classic filter of one instruction: `ret 0`.
    let mut nothing = libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 };
    let filter = libc::sock_fprog { len: 1, filter: &raw mut nothing };
    let (level, option) = (libc::SOL_SOCKET, libc::SO_ATTACH_FILTER);
    let value = (&raw const filter).cast();
    // SAFETY: a system call on a borrowed descriptor; the filter and its one instruction are alive.
    checked(unsafe { libc::setsockopt(raw(socket), level, option, value, size(&filter)) })
}

/// Ends what [`deafen`] began.
#[cfg(test)]
pub(super) fn undeafen(socket: impl AsFd) -> io::Result<()> {
    let unused = 0_i32;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_DETACH_FILTER);
    // SAFETY: a system call on a borrowed descriptor; the value is a whole integer.
    checked(unsafe {
        libc::setsockopt(raw(socket), level, option, (&raw const unused).cast(), size(&unused))
    })
}
