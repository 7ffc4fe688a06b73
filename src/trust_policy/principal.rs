//! Whom a statement means, held against the provider of the token's issuer in the role's account.

use std::cmp::Reverse;

use crate::trust_policy::difference::Difference;
use crate::trust_policy::difference::Reading;
use crate::trust_policy::document::Principals;
use crate::trust_policy::issuer::is_placeholder;
use crate::trust_policy::issuer::same_kind_of_cluster;
use crate::trust_policy::slip::Slip;
use crate::trust_policy::slip::not_filled_in;
use crate::trust_policy::verdict::Answer;
use crate::trust_policy::verdict::Caller;
use crate::trust_policy::verdict::Line;
use crate::trust_policy::verdict::Remark;

pub(super) fn judge(principals: &Principals, caller: &Caller) -> Line {
    let federated = |these: &[(String, Vec<String>)]| -> Vec<String> {
        let of_kind = these.iter().filter(|(kind, _)| kind == "Federated");
        of_kind.flat_map(|(_, names)| names.clone()).collect()
    };
    let (wanted, answer) = match principals {
        Principals::Everyone => (vec!["*".to_owned()], Answer::Yes),
        Principals::These(these) => (federated(these), Answer::of(means(these, caller))),
        Principals::AllBut(but) => (federated(but), Answer::of(!means(but, caller))),
    };
    let is_list = matches!(principals, Principals::These(_));
    let slip = (answer == Answer::No).then(|| behind(&wanted, is_list, caller));
    let (remark, difference) =
        slip.map_or((None, None), |Slip { remark, difference }| (Some(remark), difference));
    let what = if is_list { "Principal Federated" } else { "Principal" };
    let got = Some(caller.provider.clone());
    Line { what: what.to_owned(), wanted, got, answer, remark, difference }
}

/// Whether this list has the caller's provider, or everybody: `{"AWS": "*"}` is the same as `"*"` ("AWS JSON policy
/// elements: Principal").
pub(super) fn means(these: &[(String, Vec<String>)], caller: &Caller) -> bool {
    let of_kind = |wanted: &str, test: &dyn Fn(&str) -> bool| {
        these.iter().any(|(kind, names)| kind == wanted && names.iter().any(|name| test(name)))
    };
    of_kind("Federated", &|name| name == caller.provider || name == "*")
        || of_kind("AWS", &|name| name == "*")
}

fn behind(wanted: &[String], is_list: bool, caller: &Caller) -> Slip {
    let bare = |remark| Slip { remark, difference: None };
    if !is_list {
        let text = "NotPrincipal excludes this cluster's provider";
        return bare(Remark::new("PrincipalExcluded", text));
    }
    let slips = wanted
        .iter()
        .map(|arn| (in_arn(arn, caller), Difference::between(arn, &caller.provider, Reading::Exact)));
    match slips.min_by_key(|((rank, _), difference)| (*rank, Reverse(difference.alike()))) {
        Some(((_, remark), difference)) => Slip { remark, difference: Some(difference) },
        None => {
            let text = format!("it trusts no OIDC provider; this token's is {}", caller.provider);
            bare(Remark::new("NotForWebIdentity", text))
        }
    }
}

/// What is smaller is likelier to be the slip.
fn in_arn(arn: &str, caller: &Caller) -> (u8, Remark) {
    if is_placeholder(arn) {
        return (2, not_filled_in(arn));
    }
    let Some((_, theirs)) = arn.split_once(":oidc-provider/") else {
        return (5, Remark::new("NotAnOidcProvider", "it is not the ARN of an OIDC provider"));
    };
    let slash_apart = |text: &str| text.trim_end_matches('/').to_owned();
    if let Some((_, bare)) = theirs.split_once("://") {
        let rank = if slash_apart(bare) == slash_apart(&caller.issuer) { 0 } else { 3 };
        return (rank, Remark::new("SchemeInProvider", "a provider's ARN has the issuer without http(s)://"));
    }
    if theirs == caller.issuer {
        let text = "it is a provider of another account or partition than the role's";
        return (1, Remark::new("ProviderOfAnotherAccount", text));
    }
    if slash_apart(theirs) == slash_apart(&caller.issuer) {
        return (0, Remark::new("TrailingSlash", "only the slash at the end differs"));
    }
    if theirs.eq_ignore_ascii_case(&caller.issuer) {
        return (0, Remark::new("CaseDiffers", "only upper and lower case differ"));
    }
    if same_kind_of_cluster(theirs, &caller.issuer) {
        let text = "it is another cluster's provider; each cluster has an id of its own";
        return (3, Remark::new("ProviderOfAnotherCluster", text));
    }
    let text = format!("it is another issuer's provider; this token's is {}", caller.issuer);
    (4, Remark::new("ProviderOfAnotherIssuer", text))
}
