//! What the file says: profiles as every SDK reads them, and boto 2's name for the session token.

use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::credentials::rfc3339;

/// By which we know a file of ours.
pub(super) const MARK: &str = "# Kept by irsa-sidecar, and removed when it ends; changes made here are lost.";

/// At most, beside the session token: names, keys, a date.
const PROFILE_OVERHEAD: usize = 1024;

/// Comments begin their line: some parsers take one behind a value for part of it.
pub(super) fn of<'a>(profiles: impl Iterator<Item = (&'a str, &'a Credentials)>) -> Zeroizing<Vec<u8>> {
    let profiles: Vec<_> = profiles.collect();
    let size: usize = profiles.iter().map(|(_, held)| PROFILE_OVERHEAD + 2 * held.session_token.len()).sum();
    // Sized ahead: growing would leave a copy behind in freed memory.
    let mut text = Zeroizing::new(Vec::with_capacity(PROFILE_OVERHEAD + size));
    let mut line = |parts: [&str; 3]| {
        parts.iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
        text.push(b'\n');
    };
    line([MARK, "", ""]);
    for (name, held) in profiles {
        line(["\n[", name, "]"]);
        line(["# expires at ", &rfc3339(held.expires_at), ""]);
        line(["aws_access_key_id", " = ", &held.access_key_id]);
        line(["aws_secret_access_key", " = ", held.secret_access_key.expose()]);
        line(["aws_session_token", " = ", held.session_token.expose()]);
        line(["aws_security_token", " = ", held.session_token.expose()]);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::SystemTime;

    use super::*;
    use crate::secret::Secret;

    #[test]
    fn has_a_profile_for_each_role() {
        let issued_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let credentials = Credentials {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG".to_owned()),
            session_token: Secret::new("IQoJ//b3Jp+Z2lu=".to_owned()),
            expires_at: issued_at + Duration::from_secs(3600),
            issued_at,
            role_arn: None,
            account_id: None,
        };
        let text = of([("default", &credentials), ("reports", &credentials)].into_iter());
        let profile = "# expires at 2027-01-15T09:00:00Z\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\n\
                       aws_secret_access_key = wJalrXUtnFEMI/K7MDENG\naws_session_token = IQoJ//b3Jp+Z2lu=\n\
                       aws_security_token = IQoJ//b3Jp+Z2lu=\n";
        let expected = format!("{MARK}\n\n[default]\n{profile}\n[reports]\n{profile}");
        assert_eq!(str::from_utf8(&text).unwrap(), expected);
        assert_eq!(str::from_utf8(&of([].into_iter())).unwrap(), format!("{MARK}\n"));
    }
}
