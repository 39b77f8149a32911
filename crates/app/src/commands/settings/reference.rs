//! The table of all settings, from the registry: what `docs/settings.md` is made of.

use std::fmt::Write as _;

use waggle_settings::{Declaration, Group, registry};

/// The page, in Markdown.
pub(super) fn table() -> String {
    let mut page = String::from(HEAD);
    for group in Group::ALL {
        let declarations: Vec<&Declaration> =
            registry::ALL.iter().filter(|declaration| declaration.group == group).collect();
        if declarations.is_empty() {
            continue;
        }
        let _ = writeln!(page, "\n## {} (`{}`)\n", group.title(), group.name());
        page.push_str("| key | takes | default | what it does |\n| --- | --- | --- | --- |\n");
        for declaration in declarations {
            let default = match declaration.default {
                None => "none".to_owned(),
                Some("[]") => "empty".to_owned(),
                Some(text) => format!("`{text}`"),
            };
            let description = declaration.description.replace('|', "\\|");
            let takes = declaration.kind.describe();
            let _ =
                writeln!(page, "| `{}` | {takes} | {default} | {description} |", declaration.key);
        }
    }
    page.push_str(TAIL);
    page
}

const HEAD: &str = "\
# Settings

This page is made from the registry of settings: `waggle settings reference > docs/settings.md`. `make test` fails where it is not current.

A value is looked up in the database, then in the environment under the same key, then the default is taken. A blank value counts as not
set, wherever it stands. One that makes no sense is refused with the reason; a server does not start while there is one. A change comes into effect at once in the process that makes it, and within
two seconds in every other server; no setting needs a restart.

- **boolean**: `true` or `false`; `yes`, `no`, `on`, `off`, `1`, `0` are understood, in any case.
- **duration**: seconds (`90`), or with units: `90s`, `15m`, `6h`, `2d`, `1h30m`.
- **list**: texts with commas or line breaks between them, or a JSON array. `[]` is the empty list, as a value.
- **secret**: kept encrypted, never shown; of a long one (16 characters or more) the last four are.
- **json**: JSON by the schema that `GET /api/v1/settings` shows.
";

const TAIL: &str = "
## Your own (`custom`)

Keys that begin with `custom.`, followed by 1 to 80 letters, digits, `.`, `_` or `-`, take any JSON of up to 65,536 characters. Waggle does not read them. There may be 1,000.
";
