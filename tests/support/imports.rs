//! Finds out which files of a crate import which, as the compiler resolves names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Item, ItemMod, ItemUse, Meta, UseTree};

/// The names that a file imports from another file, by the two files.
pub(crate) type Arrows = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// All imports between the files of a crate, which is read from its root file. Tests are left out,
/// and so are re-exports of files below.
pub(crate) fn of_crate(root: &Path) -> Arrows {
    let mut modules = Modules::default();
    modules.load(root, None);
    modules.arrows()
}

/// Sets of files in which each file imports every other one, directly or through others.
pub(crate) fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<PathBuf>> {
    let reach = |from: &Path| {
        let mut reached = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(file) = next.pop() {
            for target in arrows.get(&file).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(target.clone()) {
                    next.push(target.clone());
                }
            }
        }
        reached
    };
    let reached: BTreeMap<&PathBuf, BTreeSet<PathBuf>> =
        arrows.keys().map(|file| (file, reach(file))).collect();
    let leads =
        |from: &PathBuf, to: &PathBuf| reached.get(from).is_some_and(|all| all.contains(to));
    let of = |file: &PathBuf| -> BTreeSet<PathBuf> {
        arrows.keys().filter(|other| leads(file, other) && leads(other, file)).cloned().collect()
    };
    arrows.keys().map(of).filter(|circle| !circle.is_empty()).collect()
}

#[derive(Default)]
struct Modules(Vec<Module>);

struct Module {
    file: PathBuf,
    parent: Option<usize>,
    items: Vec<Item>,
    children: BTreeMap<String, usize>,
    /// The paths that imported names stand for.
    imports: BTreeMap<String, Vec<String>>,
}

impl Modules {
    fn load(&mut self, file: &Path, parent: Option<usize>) -> usize {
        let text = std::fs::read_to_string(file).unwrap();
        let items = syn::parse_file(&text).unwrap().items;
        // The files of child modules are in the folder of `lib.rs`, `main.rs` or `mod.rs`, or else
        // in a folder with the name of this file.
        let stem = file.file_stem().unwrap().to_owned();
        let folder = file.parent().unwrap();
        let is_folder = ["lib", "main", "mod"].iter().any(|name| stem == *name);
        let below = if is_folder { folder.to_owned() } else { folder.join(stem) };
        self.add(file, &below, parent, items)
    }

    fn add(&mut self, file: &Path, below: &Path, parent: Option<usize>, items: Vec<Item>) -> usize {
        let place = self.0.len();
        let mut imports = BTreeMap::new();
        for item in &items {
            if let Item::Use(item) = item {
                for path in paths(item) {
                    imports.extend(path.alias.map(|alias| (alias, path.segments)));
                }
            }
        }
        let modules: Vec<ItemMod> = items
            .iter()
            .filter_map(|item| if let Item::Mod(item) = item { Some(item.clone()) } else { None })
            .filter(|item| !is_test(&item.attrs))
            .collect();
        let children = BTreeMap::new();
        self.0.push(Module { file: file.to_owned(), parent, items, children, imports });
        for module in modules {
            let name = module.ident.to_string();
            let child = if let Some((_, items)) = module.content {
                self.add(file, &below.join(&name), Some(place), items)
            } else {
                let plain = below.join(format!("{name}.rs"));
                let named =
                    path_attribute(&module.attrs).map(|path| file.parent().unwrap().join(path));
                let found = named.unwrap_or_else(|| {
                    if plain.exists() { plain } else { below.join(&name).join("mod.rs") }
                });
                self.load(&found.canonicalize().unwrap(), Some(place))
            };
            self.0[place].children.insert(name, child);
        }
        place
    }

    /// The module of the item that a path in `from` refers to; `None` if it is in another crate.
    fn resolve(&self, from: usize, segments: &[String], depth: usize) -> Option<usize> {
        let (first, rest) = segments.split_first()?;
        let module = &self.0[from];
        let start = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => module.parent?,
            name => match module.children.get(name) {
                Some(child) => *child,
                None => return self.imported(from, name, rest, depth),
            },
        };
        self.descend(start, rest, depth)
    }

    fn descend(&self, module: usize, segments: &[String], depth: usize) -> Option<usize> {
        let Some((first, rest)) = segments.split_first() else { return Some(module) };
        match first.as_str() {
            "super" => self.descend(self.0[module].parent?, rest, depth),
            "self" => self.descend(module, rest, depth),
            name => match self.0[module].children.get(name) {
                Some(child) => self.descend(*child, rest, depth),
                None if self.0[module].imports.contains_key(name) => {
                    self.imported(module, name, rest, depth)
                }
                None => Some(module),
            },
        }
    }

    fn imported(&self, module: usize, name: &str, rest: &[String], depth: usize) -> Option<usize> {
        let path = self.0[module].imports.get(name)?;
        // `use name::name` would lead to itself.
        if depth == 0 || path.first().is_some_and(|first| first == name) {
            return None;
        }
        let whole: Vec<String> = path.iter().chain(rest).cloned().collect();
        self.resolve(module, &whole, depth - 1)
    }

    fn is_below(&self, module: usize, top: usize) -> bool {
        let mut at = Some(module);
        while let Some(place) = at {
            if place == top {
                return true;
            }
            at = self.0[place].parent;
        }
        false
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (place, module) in self.0.iter().enumerate() {
            let mut reader = Reader::default();
            for item in &module.items {
                reader.visit_item(item);
            }
            arrows.entry(module.file.clone()).or_default();
            for (segments, is_handed_on) in reader.found {
                let Some(target) = self.resolve(place, &segments, 8) else { continue };
                let file = &self.0[target].file;
                if *file == module.file || (is_handed_on && self.is_below(target, place)) {
                    continue;
                }
                let names = arrows.entry(module.file.clone()).or_default();
                let name = segments.last().cloned().unwrap_or_default();
                names.entry(file.clone()).or_default().insert(name);
            }
        }
        arrows
    }
}

/// Finds the paths in a module that may lead to other files: imports and qualified paths.
#[derive(Default)]
struct Reader {
    /// Each path, and whether it is re-exported.
    found: Vec<(Vec<String>, bool)>,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            // Modules are read separately.
            Item::Mod(_) => return,
            _ => return syn::visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_handed_on = !matches!(item.vis, syn::Visibility::Inherited);
        self.found.extend(paths(item).into_iter().map(|path| (path.segments, is_handed_on)));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.found.push((segments, false));
        }
        syn::visit::visit_path(self, path);
    }
}

struct Imported {
    segments: Vec<String>,
    /// The name of the import; `None` for a glob import.
    alias: Option<String>,
}

fn paths(item: &ItemUse) -> Vec<Imported> {
    fn walk(tree: &UseTree, before: &[String], found: &mut Vec<Imported>) {
        let with = |name: &dyn ToString| {
            let mut segments = before.to_vec();
            segments.push(name.to_string());
            segments
        };
        match tree {
            UseTree::Path(path) => walk(&path.tree, &with(&path.ident), found),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, before, found)),
            UseTree::Glob(_) => found.push(Imported { segments: before.to_vec(), alias: None }),
            UseTree::Name(name) if name.ident == "self" => {
                found.push(Imported { segments: before.to_vec(), alias: before.last().cloned() });
            }
            UseTree::Name(name) => {
                let alias = Some(name.ident.to_string());
                found.push(Imported { segments: with(&name.ident), alias });
            }
            UseTree::Rename(name) => {
                let alias = Some(name.rename.to_string());
                found.push(Imported { segments: with(&name.ident), alias });
            }
        }
    }
    let mut found = Vec::new();
    walk(&item.tree, &[], &mut found);
    found
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(literal) => match &literal.lit {
                syn::Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}
