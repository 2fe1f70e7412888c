//! What fuzzers have found, and what they began with, played through the same functions.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keyway_shared::fuzzing;

fn names_in(folder: &str) -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz")
        .join(folder);
    let files = std::fs::read_dir(&folder).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn nothing_in_the_corpus_makes_a_target_fall() {
    for name in fuzzing::names() {
        let corpus = names_in(&format!("corpus/{name}"));
        assert!(corpus.len() > 4, "{name}");
        for file in corpus {
            let bytes = std::fs::read(&file).unwrap();
            let played = std::panic::catch_unwind(|| fuzzing::play(name, &bytes));
            assert!(played.is_ok(), "{}", file.display());
        }
    }
}

#[test]
fn every_target_is_fuzzed() {
    let targets = names_in("fuzz_targets");
    let stems = targets.iter().map(|file| file.file_stem().unwrap());
    let stems: BTreeSet<_> = stems.map(|stem| stem.to_str().unwrap()).collect();
    assert_eq!(stems, fuzzing::names().collect());
    for name in stems {
        let text = std::fs::read_to_string(
            targets
                .iter()
                .find(|file| file.ends_with(format!("{name}.rs")))
                .unwrap(),
        );
        assert!(
            text.unwrap().contains(&format!("play(\"{name}\", bytes)")),
            "{name}"
        );
    }
}
