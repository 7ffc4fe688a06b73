//! The in-pod credential sidecar that gives old AWS SDKs the IAM role of their Kubernetes service account.
//!
//! Reading order: [`contract`] has every name that crosses the process border, [`credentials`] the value that all is
//! about, [`refresh`] the policy that keeps it fresh, [`sts`] and [`token`] the two doors it needs, [`cache`] the place
//! where it lies, [`serve`] how it is handed out, [`app`] how the parts are put together. Beside them stand [`doctor`], which
//! looks at every link of the chain, and [`exec`], which is given credentials for one command.

pub mod app;
pub mod authorities;
pub mod authorization;
pub mod backoff;
pub mod beat;
pub mod build_info;
pub mod cache;
pub mod claim;
pub mod cli;
pub mod clock;
pub mod config;
pub mod contract;
pub mod credentials;
pub mod credentials_file;
pub mod doctor;
pub mod exec;
pub mod file;
pub mod harmless;
pub mod heap;
pub mod http_once;
pub mod inject;
pub mod log;
pub mod manifest;
pub mod metadata_path;
pub mod metrics;
pub mod patch;
pub mod pod_identity;
pub mod refresh;
pub mod roles;
pub mod secret;
pub mod serve;
pub mod session_key;
pub mod shell;
pub mod shutdown;
pub mod sts;
pub mod termination_log;
pub mod token;
pub mod trust_policy;
pub mod upstream;
pub mod webhook;
