//! `irsa-sidecar net-init [--remove] [--host]`: claims on `lo` the link-local addresses that `--listen` names, and ends.
//!
//! One line of log for each address, on stderr. Exit status 0 when all of them are on `lo` (or, with `--remove`, none),
//! 64 where it may not be done here, 69 where the kernel or somebody else's address stands in the way.

use crate::claim;
use crate::claim::ClaimError;
use crate::claim::Outcome;
use crate::config::NetInit;
use crate::contract::exit;

pub(super) fn run(net_init: &NetInit) -> u8 {
    match claim::run(net_init) {
        Ok(outcomes) => {
            for (address, outcome) in outcomes {
                match outcome {
                    Outcome::Claimed => tracing::info!(%address, "claimed on lo"),
                    Outcome::AlreadyThere => tracing::info!(%address, "already there on lo"),
                    Outcome::Removed => tracing::info!(%address, "removed from lo"),
                    Outcome::NotThere => tracing::info!(%address, "not there on lo: nothing to remove"),
                    Outcome::LeftOut => {
                        tracing::warn!(%address, code = "NoIpv6", "left out: there is no IPv6 here, nor a way to it");
                    }
                }
            }
            0
        }
        Err(error) => {
            tracing::error!(code = error.code(), "{error}. {}", error.mend());
            status(&error)
        }
    }
}

fn status(error: &ClaimError) -> u8 {
    match error {
        ClaimError::NodeNamespace { .. } | ClaimError::UnknownNamespace { .. } => exit::USAGE,
        ClaimError::OnAnotherInterface(_)
        | ClaimError::NoIpv6OnLo(_)
        | ClaimError::NotEffective(_)
        | ClaimError::NotPermitted(_)
        | ClaimError::Failed { .. }
        | ClaimError::Netlink(_) => exit::UNAVAILABLE,
    }
}
