//! Shared helpers of the tests across the doors.
