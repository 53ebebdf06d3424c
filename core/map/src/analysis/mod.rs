//! What follows from the graph: cycles and orphans.
