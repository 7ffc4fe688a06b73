//! `AWS_CA_BUNDLE`: a file with certificates in PEM.

use std::path::Path;
use std::path::PathBuf;

use crate::authorities;
use crate::config::mistake::Reason;
use crate::file::read_bounded;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The path again, when the file holds certificates and nothing in it is broken.
pub(super) fn check_pem(text: &str) -> Result<PathBuf, Reason> {
    if text.contains(BEGIN) {
        return Err(
            Reason::from("it is a certificate; the path of a file with certificates goes here").hide_value()
        );
    }
    let path = Path::new(text);
    let content = read_bounded(path, authorities::MAX_BUNDLE_BYTES)
        .map_err(|error| Reason::of_file(error, "The file must hold certificates in PEM"))?;
    check_content(&content)?;
    authorities::check(&content).map_err(Reason::from)?;
    Ok(path.to_owned())
}

fn check_content(content: &[u8]) -> Result<(), Reason> {
    // A comment in another encoding than UTF-8 is no reason to refuse a bundle.
    let text = String::from_utf8_lossy(content);
    let mut blocks = text.split(BEGIN).skip(1).peekable();
    if blocks.peek().is_some() {
        let is_whole = |block: &str| block.split_once(END).is_some_and(|(inner, _)| !inner.trim().is_empty());
        return match blocks.all(is_whole) {
            true => Ok(()),
            false => Err("one of its certificates is cut off or empty".into()),
        };
    }
    Err(match content {
        [] => "the file is empty".into(),
        [0x30, 0x80..=0x84, ..] => Reason::from("the file holds a certificate in DER, not in PEM")
            .mend("Turn it into PEM with `openssl x509 -inform der -in FILE -out bundle.pem`"),
        _ if text.contains("PRIVATE KEY-----") => {
            "the file holds a private key and no certificate; a private key has no place here".into()
        }
        _ => Reason::from(format!("the file holds no certificate in PEM: {BEGIN} does not occur in it")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_bundle_from_everything_else() {
        let whole = format!("# a comment\n{BEGIN}\nMIIB\n{END}\n");
        let cases: [(&[u8], bool); 8] = [
            (whole.as_bytes(), true),
            (&[whole.as_bytes(), whole.as_bytes()].concat(), true),
            (&[b"\xe4\xf6\n", whole.as_bytes()].concat(), true),
            (b"", false),
            (b"-----BEGIN CERTIFICATE-----\nMIIB", false),
            (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", false),
            (b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", false),
            (b"\x30\x82\x03\x55", false),
        ];
        for (content, is_bundle) in cases {
            assert_eq!(check_content(content).is_ok(), is_bundle, "{}", String::from_utf8_lossy(content));
        }
    }
}
