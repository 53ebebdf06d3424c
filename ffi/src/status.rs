//! What a function answers.

/// What a function answers. Numbers are explicit, grouped with gaps, and never used again for something else.
/// Below 10 is no error; whatever a program does not know it should treat as an error.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// Nothing came within the timeout.
    Timeout = 1,
    /// `servicemap_observer_wake` was called.
    Woken = 2,
    /// The observer was shut down and everything has been read.
    Ended = 3,

    /// A pointer that must not be NULL is NULL.
    NullPointer = 10,
    /// An argument is outside its range.
    InvalidArgument = 11,
    /// The `size` of a struct is smaller than its first version, or bytes that this library does not know are not zero.
    StructSize = 12,

    /// The JSON configuration is wrong; the message names the key.
    InvalidConfig = 20,

    /// Not possible in the observer's present state: not started yet, started already, shut down.
    InvalidState = 30,
    /// Another thread is using the same cursor.
    Busy = 31,
    /// The batch is not the one that this observer waits to have acknowledged.
    NotOutstanding = 32,
    /// The observer was made by the parent process of a `fork`: it does not exist here.
    Forked = 33,
    /// The observer's threads did not end before the deadline; they still may.
    StillRunning = 34,

    /// The kernel side cannot be loaded or attached; the message says what is missing.
    Capture = 40,
    /// The system refused a thread, memory or a file.
    System = 41,

    /// This build cannot do it.
    Unsupported = 50,

    /// The function panicked: a bug of Servicemap. The observer is poisoned from then on.
    Panic = 60,
    /// A function panicked inside this observer before; it can only be destroyed.
    Poisoned = 61,
}

impl Status {
    /// All statuses, in the order of their numbers.
    /// cbindgen:ignore
    pub const ALL: [Self; 18] = [
        Self::Ok,
        Self::Timeout,
        Self::Woken,
        Self::Ended,
        Self::NullPointer,
        Self::InvalidArgument,
        Self::StructSize,
        Self::InvalidConfig,
        Self::InvalidState,
        Self::Busy,
        Self::NotOutstanding,
        Self::Forked,
        Self::StillRunning,
        Self::Capture,
        Self::System,
        Self::Unsupported,
        Self::Panic,
        Self::Poisoned,
    ];

    /// What the caller can do about it; empty where nothing is wrong.
    #[must_use]
    pub const fn mend(self) -> &'static str {
        match self {
            Self::Ok | Self::Timeout | Self::Woken | Self::Ended => "",
            Self::NullPointer => {
                "pass a valid pointer; only outputs that are documented as optional may be NULL"
            }
            Self::InvalidArgument => "pass a value within the range that the header states",
            Self::StructSize => "set `size` to sizeof the struct and all other bytes to zero before the call",
            Self::InvalidConfig => "correct the key that the message names, or leave it out for its default",
            Self::InvalidState => "call create, start, next, shutdown, destroy in this order",
            Self::Busy => "use each kind's cursor from one thread at a time",
            Self::NotOutstanding => {
                "acknowledge only the batch that the latest next of its kind gave, and only once"
            }
            Self::Forked => "create the observer in the process that uses it, after the fork",
            Self::StillRunning => "call shutdown again with more time, or destroy the observer",
            Self::Capture => {
                "run `servicemap check`: it names what this machine or process lacks and how to give it"
            }
            Self::System => "raise the limit that the message names and try again",
            Self::Unsupported => "use a build of the library that has it",
            Self::Panic => "destroy the observer and create another; please report the message, it is a bug",
            Self::Poisoned => "destroy the observer and create another",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn numbers_are_those_that_were_published() {
        let numbers: Vec<(i32, String)> = Status::ALL.iter().map(|s| (*s as i32, format!("{s:?}"))).collect();
        let published = [
            (0, "Ok"),
            (1, "Timeout"),
            (2, "Woken"),
            (3, "Ended"),
            (10, "NullPointer"),
            (11, "InvalidArgument"),
            (12, "StructSize"),
            (20, "InvalidConfig"),
            (30, "InvalidState"),
            (31, "Busy"),
            (32, "NotOutstanding"),
            (33, "Forked"),
            (34, "StillRunning"),
            (40, "Capture"),
            (41, "System"),
            (50, "Unsupported"),
            (60, "Panic"),
            (61, "Poisoned"),
        ];
        assert_eq!(numbers, published.map(|(number, name)| (number, name.to_owned())));
    }

    #[test]
    fn every_error_says_what_to_do() {
        for status in Status::ALL {
            assert_eq!(status.mend().is_empty(), (status as i32) < 10, "{status:?}");
        }
    }
}
