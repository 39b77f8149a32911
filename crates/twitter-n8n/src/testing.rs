//! The contracts of the ports, for every implementation to be run against.
