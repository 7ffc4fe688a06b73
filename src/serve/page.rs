//! The status page: one file that asks `/status` of its own origin, and nobody else anything.
//!
//! Its Content-Security-Policy names its one style and its one script by their hashes: nothing else is styled or runs,
//! whatever a name or a message that it shows may hold.
//!
//! It is drawn anew with each answer, and four things stay as they are: what somebody has opened or closed, the place of an
//! element, since moving it would take the focus from what is in it, text while some of it is selected, and the live region
//! where it would say the same, since it speaks whenever it is written to.

use bytes::Bytes;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;

use crate::serve::answer::Answer;

const PAGE: &str = include_str!("page.html");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; \
     style-src 'sha256-lgqJ4AhYQrhGXFvL5wAXVgFsdZiFrY+Ak2EiH/KvTfQ='; \
     script-src 'sha256-MJeMXsI+pclfvltw8l0qX1RraxsvY5Axng8zZYArd4M='; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub(super) fn answer() -> Answer {
    Answer::page(Bytes::from_static(PAGE.as_bytes()))
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        // A Referer would be refused.
        .with(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::Digest;
    use sha2::Sha256;

    use super::*;

    /// As a browser reckons it: of all between the tags.
    fn hash(element: &str) -> String {
        let (_, rest) = PAGE.split_once(&format!("<{element}>")).unwrap();
        let (inside, after) = rest.split_once(&format!("</{element}>")).unwrap();
        assert!(!after.contains(&format!("<{element}")), "one {element} element");
        format!("sha256-{}", STANDARD.encode(Sha256::digest(inside)))
    }

    #[test]
    fn the_policy_has_the_hashes_of_the_page() {
        for element in ["style", "script"] {
            let source = format!("{element}-src '{}';", hash(element));
            assert!(POLICY.to_str().unwrap().contains(&source), "right is: {source}");
        }
    }

    #[test]
    fn asks_nobody_else_and_takes_no_text_for_markup() {
        for word in
            ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "style=\"", "onclick"]
        {
            assert!(!PAGE.contains(word), "{word}");
        }
        let addresses: Vec<&str> = PAGE.split("://").skip(1).collect();
        assert!(addresses.len() == 1 && addresses[0].starts_with("www.w3.org/2000/svg'"), "SVG's name alone");
    }

    #[test]
    fn is_small() {
        assert!(PAGE.len() < 14 * 1024, "{} bytes", PAGE.len());
    }
}
