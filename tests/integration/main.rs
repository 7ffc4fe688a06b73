//! The real program against an STS that verifies what it is sent. One binary, so that it is linked once.
//!
//! Every wait is for a condition. What needs hours is tested on a paused clock beside the code; sessions here last seconds.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // tests may spawn

mod admission;
mod authorization;
mod chains;
mod client_rules;
mod command_line;
mod committed;
mod credentials_file;
mod demo;
mod docs;
mod doctor;
mod errors;
mod exec;
mod guards;
mod imds_upstream;
mod imds_wire;
mod inject;
mod lifecycle;
mod manual;
mod many_roles;
mod neighbour;
mod net_init;
mod netns;
mod networks;
mod node;
mod outage;
mod packets;
mod pod;
mod pod_identity;
mod role_tokens;
mod roles_file;
mod secrets;
mod serve_admin;
mod serve_drain;
mod serve_server;
mod serve_wire;
mod sessions;
mod sidecar;
mod sts_failures;
mod token_file;
mod trust_policy;
