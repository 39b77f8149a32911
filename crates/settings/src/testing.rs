//! The contract of the port, for every implementation to be run against.
