//! Who is at the two ends of a socket, rule by rule, with real pods and real connections.
