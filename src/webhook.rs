//! The mutating admission webhook: `POST /inject` takes an AdmissionReview (admission.k8s.io/v1) and answers with a patch.
//!
//! It decides nothing itself: [`inject`](crate::inject) does, from the pod and its ServiceAccount. What is here brings
//! the two together: reviews come in over TLS 1.3 (`listen`, `http`, `tls`), ServiceAccounts through a watch with a direct
//! question where that has not seen one (`accounts`). It sees no credentials, and asks the API server for nothing but the
//! metadata of ServiceAccounts and its version.
//!
//! Bounds: 256 connections, a TLS handshake within 5 s, a request within 8 s, its body of 8 MiB and 50,000 values at most
//! within 3 s, a question to the API server within 2 s; what is in memory at one time, `webhook/room`. The API server waits
//! 10 s for all of it, as the chart has it.

pub mod review;

#[cfg(feature = "webhook")]
mod accounts;
#[cfg(feature = "webhook")]
mod admin;
#[cfg(feature = "webhook")]
mod cluster;
#[cfg(feature = "webhook")]
mod http;
#[cfg(feature = "webhook")]
mod listen;
#[cfg(feature = "webhook")]
mod metrics;
#[cfg(feature = "webhook")]
mod reviewer;
#[cfg(feature = "webhook")]
mod room;
#[cfg(feature = "webhook")]
mod run;
#[cfg(feature = "webhook")]
mod tls;

#[cfg(feature = "webhook")]
pub use run::StartError;
#[cfg(feature = "webhook")]
pub use run::run;
