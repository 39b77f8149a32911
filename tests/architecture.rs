//! Rules of ARCHITECTURE.md and CONTRIBUTING.md that a test can check.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

#[path = "support/imports.rs"]
mod imports;
#[path = "support/tidy.rs"]
mod tidy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const DOMAINS: [&str; 6] = [
    "waggle-accounts",
    "waggle-audit",
    "waggle-content",
    "waggle-settings",
    "waggle-twitter-n8n",
    "waggle-notifications",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Each crate of the workspace with its dependencies outside of tests.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let normal = dependencies
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), normal.collect())
        })
        .collect()
}

fn of_ours(dependencies: &BTreeSet<String>) -> BTreeSet<&str> {
    dependencies.iter().map(String::as_str).filter(|name| name.starts_with("waggle")).collect()
}

#[test]
fn each_crate_depends_only_on_allowed_crates() {
    for (name, dependencies) in crates() {
        let known = of_ours(&dependencies);
        let allowed: BTreeSet<&str> = match name.as_str() {
            "waggle-kernel" | "waggle-text" => BTreeSet::new(),
            domain if DOMAINS.contains(&domain) => BTreeSet::from(["waggle-kernel", "waggle-text"]),
            "waggle" => known.clone(),
            _ => DOMAINS.into_iter().chain(["waggle-kernel", "waggle-text"]).collect(),
        };

        assert!(known.is_subset(&allowed), "{name} depends on {:?}", known.difference(&allowed));
    }
}

/// Entities, then ports, then use cases: there are no cycles of imports between files.
#[test]
fn files_import_in_one_direction() {
    let short = |file: &Path| file.strip_prefix(root()).unwrap().display().to_string();
    let mut found = Vec::new();
    for crate_folder in std::fs::read_dir(root().join("crates")).unwrap() {
        let source = crate_folder.unwrap().path().join("src");
        let file =
            ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().find(|f| f.exists());
        let arrows = imports::of_crate(&file.unwrap());
        for circle in imports::circles(&arrows) {
            for from in &circle {
                let inside = arrows[from].iter().filter(|(to, _)| circle.contains(*to));
                found.extend(inside.map(|(to, names)| {
                    format!("{} imports {names:?} from {}", short(from), short(to))
                }));
            }
        }
    }

    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn domains_do_no_input_or_output() {
    let banned = [
        "diesel",
        "diesel-async",
        "poem",
        "poem-openapi",
        "reqwest",
        "lettre",
        "serde",
        "getrandom",
        "rand",
    ];
    for (name, dependencies) in crates() {
        if name == "waggle-kernel" || name == "waggle-text" || DOMAINS.contains(&name.as_str()) {
            for banned in banned {
                assert!(!dependencies.contains(banned), "{name} depends on {banned}");
            }
        }
    }
}

#[test]
fn nothing_needs_a_system_library() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for banned in ["openssl-sys", "pq-sys", "native-tls", "aws-lc-sys", "mysqlclient-sys", "cmake"]
    {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "{banned} is in Cargo.lock");
    }
}

/// Domains get the time and randomness through ports. clippy.toml bans the direct calls, and no
/// domain makes an exception.
#[test]
fn domains_do_not_read_the_clock_or_randomness() {
    for domain in ["accounts", "content", "settings", "twitter-n8n"] {
        let arrows = imports::of_crate(&root().join("crates").join(domain).join("src/lib.rs"));
        for file in arrows.keys() {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(!text.contains("clippy::disallowed_methods"), "{}", file.display());
        }
    }
}

/// Operators change settings. The environment is read only for the configuration and by the
/// settings.
#[test]
fn the_environment_is_read_in_two_places() {
    let found = Command::new("grep")
        .args(["-rlE", "env::vars?(_os)?\\(", "--include=*.rs", "crates"])
        .current_dir(root())
        .output()
        .unwrap();
    let mut files: Vec<String> =
        String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect();
    files.retain(|file| file.contains("/src/"));
    files.sort();

    assert_eq!(files, ["crates/app/src/commands.rs", "crates/app/src/wiring.rs"]);
}

#[test]
fn both_databases_have_the_same_migrations() {
    let steps = |database: &str| -> BTreeSet<String> {
        std::fs::read_dir(root().join("migrations").join(database))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };

    assert_eq!(steps("sqlite"), steps("postgres"));
}

/// What `check` finds in each file that ends with `ending`.
fn found_in(ending: &str, check: impl Fn(&Path, &str) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for file in tidy::files(&root(), ending) {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        found.extend(check(&file, &text).into_iter().map(|what| format!("{name}:{what}")));
    }
    found
}

#[test]
fn lines_end_at_100_columns() {
    let numbers = |text: &str, is_markdown| {
        tidy::wide_lines(text, is_markdown).iter().map(ToString::to_string).collect()
    };
    let mut found = found_in(".rs", |_, text| numbers(text, false));
    found.extend(found_in(".md", |_, text| numbers(text, true)));
    found.extend(found_in(".env", |_, text| numbers(text, false)));

    assert_eq!(found, Vec::<String>::new());
}

/// A command behind a fence, or a fence behind a command, cannot be pasted.
#[test]
fn examples_are_lines_of_their_own() {
    let is_mixed = |line: &str| {
        let fence = line.trim().strip_prefix("```").map(|rest| rest.contains(' '));
        fence.unwrap_or_else(|| line.trim_end().ends_with("```"))
    };
    let found = found_in(".md", |_, text| {
        let numbered = text.lines().zip(1..).filter(|(line, _)| is_mixed(line));
        numbered.map(|(_, number): (_, u32)| number.to_string()).collect()
    });

    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for() {
    let found =
        found_in(
            ".rs",
            |_, text| {
                if text.starts_with("//! ") { Vec::new() } else { vec!["1".to_owned()] }
            },
        );

    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn public_items_of_libraries_are_documented() {
    let found = found_in(".rs", |file, text| {
        let is_library = file.starts_with(root().join("crates"))
            && !file.starts_with(root().join("crates/app"))
            && file.components().any(|part| part.as_os_str() == "src");
        if is_library { tidy::undocumented(text) } else { Vec::new() }
    });

    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn texts_are_plain_english() {
    let itself = root().join("tests/support/tidy.rs");
    let check = |file: &Path, text: &str| {
        if file == itself { Vec::new() } else { tidy::not_plain(text) }
    };
    let mut found = found_in(".rs", check);
    found.extend(found_in(".md", check));
    found.extend(found_in(".toml", check));
    found.extend(found_in(".env", check));
    found.extend(found_in(".json", check));

    assert_eq!(found, Vec::<String>::new());
}

/// A name that Waggle does not know would keep it from starting.
#[test]
fn the_files_for_deployment_name_what_exists() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let config = read("crates/app/src/config.rs");
    for file in ["deploy/waggle.service", "Dockerfile", "compose.yaml"] {
        let text = read(file);
        let is_part = |letter: char| letter.is_ascii_uppercase() || letter == '_';
        let words = text.split(|letter: char| !is_part(letter));
        let names: Vec<&str> = words.filter(|word| word.starts_with("WAGGLE_")).collect();
        assert!(!names.is_empty(), "{file}");
        for name in names {
            assert!(config.contains(&format!("\"{name}\"")), "{file}: {name}");
        }
    }
    let manifest = read("Cargo.toml");
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(read("Dockerfile").contains(&format!("FROM rust:{version}-")));
}
