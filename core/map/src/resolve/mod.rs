//! Who was at this address, cgroup or port at that instant.
