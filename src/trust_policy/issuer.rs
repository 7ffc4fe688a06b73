//! What an issuer's name says of its cluster: the one place that knows what EKS's look like.

/// `oidc.eks.REGION.amazonaws.com/id/ID`, or `oidc-eks.REGION.api.aws/id/ID`.
const OF_EKS: [&str; 2] = ["oidc.eks.", "oidc-eks."];

/// None of a cluster that is not EKS's.
pub(super) fn eks_region(issuer: &str) -> Option<&str> {
    let rest = OF_EKS.iter().find_map(|start| issuer.strip_prefix(start))?;
    rest.split('.').next().filter(|region| !region.is_empty())
}

/// Two issuers of a kind that differ in the cluster's id, or region.
pub(super) fn same_kind_of_cluster(a: &str, b: &str) -> bool {
    let host = |issuer: &str| issuer.split('/').next().unwrap_or_default().to_owned();
    let are_eks = eks_region(a).is_some() && eks_region(b).is_some();
    a != b && (are_eks || (host(a) == host(b) && a.contains('/')))
}

/// Whether this is what a template had in the place of a name, as `$OIDC_PROVIDER`, `<ISSUER>`, or the cluster of AWS's guide.
pub(super) fn is_placeholder(text: &str) -> bool {
    text.contains(['$', '<', '>', '{', '}'])
        || ["region-code", "EXAMPLED539"].iter().any(|sample| text.contains(sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_clusters_of_eks() {
        for (issuer, region) in [
            ("oidc.eks.eu-west-1.amazonaws.com/id/AB12", Some("eu-west-1")),
            ("oidc.eks.cn-north-1.amazonaws.com.cn/id/AB12", Some("cn-north-1")),
            ("oidc-eks.eu-west-1.api.aws/id/AB12", Some("eu-west-1")),
            ("oidc.example/id/AB12", None),
            ("oidc.eks.", None),
        ] {
            assert_eq!(eks_region(issuer), region, "{issuer}");
        }
    }

    #[test]
    fn knows_what_nobody_has_filled_in() {
        for text in ["${OIDC}:sub", "$oidc_provider", "<ISSUER>", "{{ issuer }}", "oidc.eks.region-code.x"] {
            assert!(is_placeholder(text), "{text}");
        }
        assert!(!is_placeholder("oidc.eks.eu-west-1.amazonaws.com/id/AB12:sub"));
    }
}
