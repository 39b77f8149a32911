//! Lengths and entities are those of X's own library, `twitter-text`, which `make test-tools`
//! fetches.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use waggle_text::{EntityKind, entities, weighted_length};

/// How many texts are compared. Of 200,000, about 30 differ: regular expressions on halves of
/// surrogate pairs, and top-level domains in other scripts that are followed by another one.
const TEXTS: usize = 5_000;

/// Pieces of texts that both know: the library's tables of emoji and of top-level domains are
/// older.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "word",
        "RT",
        "rt:",
        "日本語",
        "ひらがな",
        "한국",
        "é",
        "ß",
        "слово",
        "中",
        "x",
        "1",
        "42",
        "_",
        "ー",
        "の",
    ]);
    let signs = prop::sample::select(vec![
        " ", "\n", "@", "＠", "#", "＃", "$", "&", "/", "//", "://", ":", ".", ",", "!", "?", "-",
        "(", ")", "'", "\"", "=", "+", "~", "%", "…", "—", "“", "€", "。",
    ]);
    let links = prop::sample::select(vec![
        "http://",
        "https://",
        "HTTP://",
        "example.com",
        "foo.co.jp",
        "t.co/AbC1",
        "/path",
        "?q=1",
        "example.みんな",
        "sub_domain.example.org",
        ".com",
        ".rs",
        ":8080",
        "localhost",
        "a.b",
    ]);
    let emoji = prop::sample::select(vec![
        // One in each line: their columns are hard to count.
        "😀",
        "👍🏽",
        "👨‍👩‍👧‍👦",
        "🇯🇵",
        "❤️",
        "☺",
        "1️⃣",
        "©",
        "™",
        "🏳️‍🌈",
    ]);
    let names =
        prop::sample::select(vec!["@ada", "#rust", "#日本", "$AAPL", "$BRK.A", "@a_b/list"]);
    prop_oneof![words, signs, links, emoji, names].prop_map(str::to_owned)
}

/// What X's library says of `texts`.
fn of_x(texts: &[String]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let fetched = root.join("target/test-tools");
    let fetched = std::env::var_os("WAGGLE_TEST_TOOLS").map_or(fetched, PathBuf::from);
    let modules = fetched.join("npm/node_modules");
    assert!(modules.join("twitter-text").exists(), "run `make test-tools`");
    let mut node = Command::new("node")
        .arg(root.join("tests/tools/x_text.js"))
        .env("NODE_PATH", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin.take().unwrap().write_all(json!(texts).to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An answer without the positions of entities whose text occurs more than once: of parts of
/// domains, X's library gives the position of the first text that is the same.
fn comparable(text: &str, mut answer: Value) -> Value {
    let units: Vec<u16> = text.encode_utf16().collect();
    for entity in answer["entities"].as_array_mut().unwrap() {
        let position = |index: usize| usize::try_from(entity[index].as_u64().unwrap()).unwrap();
        let part = String::from_utf16(&units[position(1)..position(2)]).unwrap();
        if text.matches(&part).count() > 1 {
            *entity = json!([entity[0], part]);
        }
    }
    answer
}

fn of_ours(text: &str) -> Value {
    let name = |kind| match kind {
        EntityKind::Link => "link",
        EntityKind::Mention => "mention",
        EntityKind::Hashtag => "hashtag",
        EntityKind::Cashtag => "cashtag",
    };
    let found: Vec<Value> = entities(text)
        .into_iter()
        .map(|entity| {
            let span = entity.span.utf16;
            json!([name(entity.kind), span.start, span.end])
        })
        .collect();
    json!({ "length": weighted_length(text), "entities": found })
}

#[test]
fn lengths_and_entities_are_those_of_the_library_of_x() {
    let mut runner = TestRunner::deterministic();
    let text = prop::collection::vec(piece(), 1..10).prop_map(|pieces| pieces.concat());
    let texts: Vec<String> =
        (0..TEXTS).map(|_| text.new_tree(&mut runner).unwrap().current()).collect();

    let of_x = of_x(&texts);

    let different: Vec<String> = texts
        .iter()
        .zip(&of_x)
        .filter(|(text, of_x)| {
            comparable(text, of_ours(text)) != comparable(text, (**of_x).clone())
        })
        .map(|(text, of_x)| format!("{text:?}\n  ours {}\n  X's  {of_x}", of_ours(text)))
        .collect();
    let shown = different.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {TEXTS} differ:\n{shown}", different.len());
}
