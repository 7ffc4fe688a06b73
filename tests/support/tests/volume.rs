//! The volume is what the kubelet would make.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::clock::Clock;
use support::kubelet::{Corruption, Mode, Volume};
use support::scratch::Scratch;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_token_is_a_link_to_a_link_to_a_dated_directory() {
    let scratch = Scratch::new("volume").unwrap();
    let volume = Volume::new(scratch.path(), Mode::FsGroup, Clock::default()).unwrap();
    assert!(names(volume.directory()).is_empty());
    volume.rotate("first").unwrap();
    let [dated, data, token] = &names(volume.directory())[..] else { panic!("three names") };
    assert!(has_the_kubelet_s_shape(dated), "{dated}");
    assert_eq!((data.as_str(), token.as_str()), ("..data", "token"));
    assert_eq!(fs::read_link(volume.directory().join("..data")).unwrap(), Path::new(dated));
    assert_eq!(fs::read_link(volume.token_file()).unwrap(), Path::new("..data/token"));
    assert_eq!(fs::read_to_string(volume.token_file()).unwrap(), "first");
}

/// `..2026_11_23_02_39_41.1804289383`.
fn has_the_kubelet_s_shape(name: &str) -> bool {
    let Some((stamp, random)) = name.strip_prefix("..").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    let lengths: Vec<usize> = stamp.split('_').map(str::len).collect();
    lengths == [4, 2, 2, 2, 2, 2] && random.bytes().all(|b| b.is_ascii_digit())
}

#[test]
fn rotation_swaps_the_directory_and_leaves_nothing_behind() {
    let scratch = Scratch::new("volume").unwrap();
    let volume = Volume::new(scratch.path(), Mode::OwnerOnly, Clock::default()).unwrap();
    volume.rotate("first").unwrap();
    let first = names(volume.directory());
    volume.rotate("second").unwrap();
    let second = names(volume.directory());
    assert_eq!(second.len(), 3);
    assert_ne!(first[0], second[0]);
    assert_eq!(fs::read_to_string(volume.token_file()).unwrap(), "second");
}

#[test]
fn modes_are_the_kubelet_s() {
    for (mode, bits) in [(Mode::OwnerOnly, 0o600), (Mode::FsGroup, 0o640)] {
        let scratch = Scratch::new("volume").unwrap();
        let volume = Volume::new(scratch.path(), mode, Clock::default()).unwrap();
        volume.rotate("token").unwrap();
        assert_eq!(fs::metadata(volume.token_file()).unwrap().permissions().mode() & 0o777, bits);
    }
}

#[test]
fn corruptions_are_what_they_say() {
    let scratch = Scratch::new("volume").unwrap();
    let volume = Volume::new(scratch.path(), Mode::OwnerOnly, Clock::default()).unwrap();
    let read = || fs::read(volume.token_file()).unwrap();
    volume.rotate("aaaabbbb").unwrap();
    volume.corrupt(Corruption::HalfWritten).unwrap();
    assert_eq!(read(), b"aaaa");
    volume.corrupt(Corruption::Empty).unwrap();
    assert!(read().is_empty());
    volume.corrupt_in_place(Corruption::Oversized).unwrap();
    assert_eq!(read().len(), 20_001);
    volume.corrupt(Corruption::NotUtf8).unwrap();
    assert!(String::from_utf8(read()).is_err());
    volume.remove().unwrap();
    assert!(names(volume.directory()).is_empty());
    volume.rotate("back").unwrap();
    assert_eq!(read(), b"back");
}

#[test]
fn a_file_kept_by_hand_is_only_a_file() {
    let scratch = Scratch::new("volume").unwrap();
    let volume = Volume::plain(scratch.path(), "by hand").unwrap();
    assert_eq!(names(volume.directory()), ["token"]);
    volume.write_in_place(b"again").unwrap();
    assert_eq!(fs::read(volume.token_file()).unwrap(), b"again");
    volume.remove().unwrap();
    assert!(names(volume.directory()).is_empty());
}
