//! Threads of an observer take no signals: they belong to the host. A thread inherits the mask of the one that makes it,
//! so the mask is set while core starts its threads, and set back.

use std::mem::MaybeUninit;
use std::ptr;

/// Left open: what the kernel sends to the thread that faulted (blocked, it would end the process without the host's
/// crash report), and SIGPROF, without which the host's CPU profile would not see our threads.
const OPEN: [libc::c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP, libc::SIGPROF];

/// Runs `start` with signals blocked on this thread, and so on all threads that it makes.
pub(crate) fn blocked<T>(start: impl FnOnce() -> T) -> T {
    let _mask = Mask::block();
    start()
}

/// Sets the former mask back when it goes, also when `start` panics.
struct Mask {
    former: Option<libc::sigset_t>,
}

impl Mask {
    fn block() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut former = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigfillset` writes the whole set; the other calls get valid pointers to initialised sets and known
        // signal numbers, and `pthread_sigmask` writes `former` when it answers 0.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for signal in OPEN {
                libc::sigdelset(set.as_mut_ptr(), signal);
            }
            let done = libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), former.as_mut_ptr()) == 0;
            Self { former: done.then(|| former.assume_init()) }
        }
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if let Some(former) = &self.former {
            // SAFETY: a set that `pthread_sigmask` itself has written.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, former, ptr::null_mut()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::blocked;

    /// `SigBlk` of the calling thread, bit n-1 for signal n.
    fn mask_of_this_thread() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap()
    }

    fn has(mask: u64, signal: libc::c_int) -> bool {
        mask >> (signal - 1) & 1 == 1
    }

    #[test]
    fn a_thread_made_meanwhile_takes_no_signals_but_crashes_and_profiles() {
        let before = mask_of_this_thread();
        let inside = blocked(|| std::thread::spawn(mask_of_this_thread).join().unwrap());
        assert!(
            has(inside, libc::SIGTERM) && has(inside, libc::SIGURG) && has(inside, libc::SIGCHLD),
            "{inside:x}"
        );
        assert!(
            !has(inside, libc::SIGSEGV) && !has(inside, libc::SIGPROF) && !has(inside, libc::SIGABRT),
            "{inside:x}"
        );
        assert_eq!(mask_of_this_thread(), before);
    }
}
