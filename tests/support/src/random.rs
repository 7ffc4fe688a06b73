//! Random identifiers in the shapes that AWS and Kubernetes give theirs.

use ring::rand::{SecureRandom, SystemRandom};

const UPPER_BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}

pub(crate) fn fill(out: &mut [u8]) {
    SystemRandom::new().fill(out).expect("the system's random source must answer");
}

/// `2 * n` hexadecimal digits.
pub(crate) fn hex(n: usize) -> String {
    let mut raw = vec![0; n];
    fill(&mut raw);
    encode_hex(&raw)
}

/// A random UUID (version 4): request ids, `jti`, the uids of pods.
pub(crate) fn uuid() -> String {
    let mut raw = bytes::<16>();
    raw[6] = (raw[6] & 0x0f) | 0x40;
    raw[8] = (raw[8] & 0x3f) | 0x80;
    let hex = encode_hex(&raw);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// An identifier such as `ASIA…` or `AROA…`: the prefix and sixteen characters.
pub(crate) fn aws_id(prefix: &str) -> String {
    prefix
        .chars()
        .chain(bytes::<16>().iter().map(|b| char::from(UPPER_BASE32[usize::from(b % 32)])))
        .collect()
}

/// `n` characters of the standard Base64 alphabet, which a secret access key is made of.
pub(crate) fn base64_text(n: usize) -> String {
    let mut raw = vec![0; n];
    fill(&mut raw);
    raw.iter().map(|b| char::from(BASE64[usize::from(b % 64)])).collect()
}

pub(crate) fn encode_hex(raw: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    raw.iter().flat_map(|b| [b >> 4, b & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}
