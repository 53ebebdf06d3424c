//! Settings of the capture.

/// Which hook to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookChoice {
    /// The best one that the kernel takes.
    #[default]
    Auto,
    /// Only `tp_btf`.
    TpBtf,
    /// Only the raw tracepoint.
    RawTp,
}

/// The hook in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A BTF tracepoint: typed reads, state in the socket's own storage.
    TpBtf,
    /// A raw tracepoint: checked reads, state in a map.
    RawTp,
}

impl Hook {
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::TpBtf => "state_typed",
            Self::RawTp => "state_raw",
        }
    }

    pub(super) const fn walk(self) -> &'static str {
        match self {
            Self::TpBtf => "pass_typed",
            Self::RawTp => "pass_raw",
        }
    }
}

/// How to capture. The defaults keep the kernel's maps below 16 MiB (with the raw hook, too).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureSettings {
    /// Which hook.
    pub hook: HookChoice,
    /// Flows that change between two drains: the size of each of the two flow maps. Past three quarters of it new flows
    /// are folded.
    pub flow_entries: u32,
    /// Listening addresses.
    pub listener_entries: u32,
    /// Addresses that changed hands, of which the kernel side knows that. Memory is taken for what is in the table only.
    pub generation_entries: u32,
    /// Sockets at a time, where the hook needs a map for them.
    pub raw_socket_entries: u32,
    /// Count only this network namespace (an inode number); `None`: all.
    pub netns: Option<u32>,
}

impl Default for CaptureSettings {
    fn default() -> Self {
        Self {
            hook: HookChoice::Auto,
            flow_entries: 16_384,
            listener_entries: 8_192,
            generation_entries: 16_384,
            raw_socket_entries: 32_768,
            netns: None,
        }
    }
}
