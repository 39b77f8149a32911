//! The style sheet and the scripts. They are part of the program, under a path that has a hash of
//! all of them, so that browsers keep them until they change.

use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use waggle_kernel::hex;

/// A file that pages load.
pub struct Asset {
    pub name: &'static str,
    pub content_type: &'static str,
    pub text: &'static str,
}

macro_rules! assets {
    ($($name:literal: $content_type:literal),+ $(,)?) => {
        static ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            content_type: $content_type,
            text: include_str!(concat!("../assets/", $name)),
        }),+];
    };
}

assets! {
    "console.css": "text/css",
    "icon.svg": "image/svg+xml",
    "account.js": "text/javascript",
    "act.js": "text/javascript",
    "bulk.js": "text/javascript",
    "call.js": "text/javascript",
    "diff.js": "text/javascript",
    "drafts.js": "text/javascript",
    "follow.js": "text/javascript",
    "keys.js": "text/javascript",
    "live.js": "text/javascript",
    "order.js": "text/javascript",
    "palette.js": "text/javascript",
    "part.js": "text/javascript",
    "say.js": "text/javascript",
    "setup.js": "text/javascript",
    "sign_in.js": "text/javascript",
    "zone.js": "text/javascript",
}

/// The asset with a name, if `hash` is that of the current assets.
pub fn asset(hash: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name).filter(|_| hash == self::hash())
}

/// The path of an asset.
pub(crate) fn path_of(name: &str) -> String {
    format!("/assets/{}/{name}", hash())
}

/// Identifies the contents of all assets: 16 hexadecimal digits.
fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let mut hasher = Sha256::new();
        for asset in ASSETS {
            hasher.update(asset.name);
            hasher.update([0]);
            hasher.update(asset.text);
            hasher.update([0]);
        }
        let mut digits = hex(&hasher.finalize());
        digits.truncate(16);
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_under_their_hash_alone() {
        assert!(asset(hash(), "keys.js").is_some());
        assert!(asset("0000000000000000", "keys.js").is_none());
        assert!(asset(hash(), "missing.js").is_none());
    }

    /// What people read is in the templates, where it can be found and translated.
    #[test]
    fn scripts_contain_no_sentence_and_make_no_html() {
        for asset in ASSETS.iter().filter(|asset| asset.content_type == "text/javascript") {
            let code = asset.text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                for text in line.split('"').skip(1).step_by(2) {
                    let words = text.split(' ').filter(|word| word.len() > 2).count();
                    let is_selector = text.contains(['[', '#', '.', ':', '=']);
                    assert!(words < 3 || is_selector, "{}: {text}", asset.name);
                }
                for banned in ["innerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                    assert!(!line.contains(banned), "{}: {line}", asset.name);
                }
            }
        }
    }
}
