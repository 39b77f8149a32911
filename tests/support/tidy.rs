//! How files of the repository look: width, first lines, docs of public items, plain English.

use std::path::{Path, PathBuf};

use syn::{ImplItem, Item, TraitItem, Visibility};

/// The maximum width of a line, in characters.
const WIDTH: usize = 100;

/// Words and phrases for which the documentation uses standard terms instead.
const NOT_PLAIN: [&str; 16] = [
    "makes no sense",
    "make no sense",
    "whoever",
    "shut out",
    "shuts out",
    "has in hand",
    "in hand ",
    "the door",
    "is let in",
    "are let in",
    "handed in",
    "put away",
    "taken back",
    " anew",
    "tells the time",
    "what happened at",
];

/// Folders whose files are not ours.
const NOT_OURS: [&str; 4] = [".git", "data", "node_modules", "target"];

/// The files below `folder` whose names end with `ending`, in order.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() && !NOT_OURS.contains(&&*name) {
            found.extend(files(&path, ending));
        } else if path.is_file() && name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The lines of `text` that are wider than [`WIDTH`], by number. In Markdown, tables, blocks of
/// code and lines that cannot be broken do not count.
pub(crate) fn wide_lines(text: &str, is_markdown: bool) -> Vec<usize> {
    let mut is_code = false;
    let mut wide = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if is_markdown && line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let is_exempt = is_markdown
            && (is_code
                || line.starts_with('|')
                || line.starts_with("    ")
                || !line.trim().contains(' '));
        // An address cannot be broken.
        let is_exempt =
            is_exempt || line.split_once("://").is_some_and(|(_, rest)| !rest.contains(' '));
        if line.chars().count() > WIDTH && !is_exempt {
            wide.push(index + 1);
        }
    }
    wide
}

/// The phrases in `text` that are not plain English, with the number of their line.
pub(crate) fn not_plain(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        for phrase in NOT_PLAIN {
            if line.contains(phrase) {
                found.push(format!("{}: '{}'", index + 1, phrase.trim()));
            }
        }
    }
    found
}

/// The public items of a file of a library that have no doc comment.
pub(crate) fn undocumented(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    items(&syn::parse_file(source).unwrap().items, &mut names);
    names
}

fn items(all: &[Item], names: &mut Vec<String>) {
    let mut check = |visibility: &Visibility, attributes: &[syn::Attribute], name: String| {
        let is_public = matches!(visibility, Visibility::Public(_));
        let is_documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
        if is_public && !is_documented {
            names.push(name);
        }
    };
    for item in all {
        match item {
            Item::Const(item) => check(&item.vis, &item.attrs, item.ident.to_string()),
            Item::Enum(item) => check(&item.vis, &item.attrs, item.ident.to_string()),
            Item::Fn(item) => check(&item.vis, &item.attrs, item.sig.ident.to_string()),
            Item::Struct(item) => check(&item.vis, &item.attrs, item.ident.to_string()),
            Item::Type(item) => check(&item.vis, &item.attrs, item.ident.to_string()),
            Item::Trait(item) => {
                check(&item.vis, &item.attrs, item.ident.to_string());
                for member in &item.items {
                    if let TraitItem::Fn(member) = member {
                        check(&item.vis, &member.attrs, member.sig.ident.to_string());
                    }
                }
            }
            Item::Impl(item) if item.trait_.is_none() => {
                for member in &item.items {
                    if let ImplItem::Fn(member) = member {
                        check(&member.vis, &member.attrs, member.sig.ident.to_string());
                    }
                }
            }
            _ => {}
        }
    }
}
