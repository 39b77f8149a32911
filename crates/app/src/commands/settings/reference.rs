//! The reference of all settings, generated from the registry: the content of `docs/settings.md`.

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
        page.push_str("| key | type | default | description |\n| --- | --- | --- | --- |\n");
        for declaration in declarations {
            let default = match declaration.default {
                None => "none".to_owned(),
                Some("[]") => "empty".to_owned(),
                Some(text) => format!("`{text}`"),
            };
            let description = declaration.description.replace('|', "\\|");
            let kind = declaration.kind.describe();
            let _ =
                writeln!(page, "| `{}` | {kind} | {default} | {description} |", declaration.key);
        }
    }
    page.push_str(TAIL);
    page
}

const HEAD: &str = "\
# Settings

This page is generated from the registry of settings by `make reference`. Do not edit it.
`make test` fails if it is out of date.

## Where a value comes from

1. the database, where `waggle settings set` and the API store it;
2. the environment variable with the same name;
3. the default.

A blank value counts as not set, in each of these places. An invalid value is rejected with the
reason, and a server does not start while there is one. A change takes effect at once in the process
that makes it, and within two seconds in every other server. No setting needs a restart.

```sh
waggle settings list --group mail          # values, and where they come from
waggle settings set PUBLISH_AT_ONCE 4
waggle settings set EMAIL_HOST_PASSWORD    # asks for a secret
waggle settings unset PUBLISH_AT_ONCE      # back to the environment or the default
```

[operations.md](operations.md) has all commands.

## Types

| type | values |
| --- | --- |
| boolean | `true` or `false`; also `yes`, `no`, `on`, `off`, `1`, `0`, in upper or lower case |
| duration | seconds (`90`), or with units: `90s`, `15m`, `6h`, `2d`, `1h30m` |
| list | texts separated by commas or line breaks, or a JSON array; `[]` is the empty list |
| secret | stored encrypted and never shown, except the last four characters of a secret that has \
16 or more |
| json | JSON that matches the schema that `GET /api/v1/settings` shows |
";

const TAIL: &str = "
## Your own settings (`custom`)

Keys that begin with `custom.`, followed by 1 to 80 letters, digits, `.`, `_` or `-`, accept any
JSON of up to 65,536 characters. Waggle does not use them. There can be 1,000 of them.
";
