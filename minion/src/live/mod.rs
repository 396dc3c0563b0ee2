//! The real system: one reader and one writer per address family. Nothing else in the agent changes the host.
